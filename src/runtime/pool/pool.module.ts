import { Module } from '@nestjs/common';
import { WarmPool } from './warm-pool.js';

@Module({ providers: [WarmPool], exports: [WarmPool] })
export class PoolModule {}
