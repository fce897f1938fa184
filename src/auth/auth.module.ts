import { Global, Module } from '@nestjs/common';
import { ApiToken } from './api-token.js';
import { RequestGuard } from './request-guard.js';

@Global()
@Module({ providers: [ApiToken, RequestGuard], exports: [ApiToken, RequestGuard] })
export class AuthModule {}
