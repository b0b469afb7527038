// Verifies a token with jose: { jwk, token, options } in, { header, claims } out.

import { answerJob } from "./jobs.mjs";

await answerJob(async (jose, key, { jwk, token, options }) => {
  const { protectedHeader, payload } = await jose.jwtVerify(token, key, {
    ...options,
    algorithms: [jwk.alg],
  });
  return { header: protectedHeader, claims: payload };
});
