// Signs a token with jose: { jwk, header, claims } in, { token } out.

import { answerJob } from "./jobs.mjs";

await answerJob(async (jose, key, { header, claims }) => ({
  token: await new jose.SignJWT(claims).setProtectedHeader(header).sign(key),
}));
