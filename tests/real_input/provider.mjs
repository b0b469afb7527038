// An OpenID provider (oidc-provider) on loopback: `node provider.mjs PORT JWKS`.
//
// JWKS is a file of private keys, of which the first signs. The client `shop` gets access tokens (RFC 9068) for
// the audience of the example server by `client_credentials`.

import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const jwks = JSON.parse(readFileSync(file, 'utf8'));
const { alg } = jwks.keys[0];

const provider = new Provider(issuer, {
  jwks,
  clients: [
    {
      client_id: 'shop',
      client_secret: 'a secret of this test',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'orders.read orders.write',
        audience: 'orders',
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg } },
      }),
    },
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${issuer}`));
