import { Global, Module } from '@nestjs/common';
import { FolderOutputStore } from './folder-output-store.js';
import { OUTPUT_STORE } from './output-store.js';

@Global()
@Module({
  providers: [{ provide: OUTPUT_STORE, useClass: FolderOutputStore }],
  exports: [OUTPUT_STORE],
})
export class OutputStoreModule {}
