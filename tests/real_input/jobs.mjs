// One JSON job on stdin, one JSON answer on stdout: the frame of mint.mjs and verify.mjs.

import { webcrypto } from "node:crypto";
import { text } from "node:stream/consumers";

// Node 18 hides the Web Crypto object that jose reads.
globalThis.crypto ??= webcrypto;

export async function answerJob(work) {
  try {
    const job = JSON.parse(await text(process.stdin));
    const jose = await import("jose");
    const key = await jose.importJWK(job.jwk, job.jwk.alg);
    process.stdout.write(JSON.stringify(await work(jose, key, job)));
  } catch (error) {
    process.stderr.write(`${error.name}: ${error.message}\n`);
    process.exitCode = 1;
  }
}
