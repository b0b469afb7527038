// An OpenID provider (oidc-provider) on loopback where users sign in and log out:
// `node sign_in.mjs PORT JWKS SECRET LOGOUT_URI`.
//
// The client `shop` gets access tokens (RFC 9068) by the authorization code flow. They name the session in `sid`,
// and SECRET, a file, signs them, as it does those of the fleet example. Logout tokens, which the first key of the
// file JWKS signs, are posted to LOGOUT_URI. Whoever `login_hint` names is signed in, and asked for nothing.

import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const [port, file, secret, logoutUri] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const jwks = JSON.parse(readFileSync(file, 'utf8'));
const resource = 'urn:orders';

const provider = new Provider(issuer, {
  jwks,
  clients: [
    {
      client_id: 'shop',
      client_secret: 'a secret of this test',
      grant_types: ['authorization_code'],
      redirect_uris: ['http://127.0.0.1/signed-in'],
      response_types: ['code'],
      id_token_signed_response_alg: jwks.keys[0].alg,
      backchannel_logout_uri: logoutUri,
      backchannel_logout_session_required: true,
    },
  ],
  extraTokenClaims: (_, token) => ({ sid: token.sid }),
  // The default closes connections to loopback.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'orders.read',
        audience: 'orders',
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'HS256', key: readFileSync(secret) } },
      }),
    },
  },
});

provider.use(async (context, next) => {
  if (!context.path.startsWith('/sign-in/')) {
    return next();
  }
  const { params } = await provider.interactionDetails(context.req, context.res);
  const accountId = params.login_hint;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  grant.addResourceScope(resource, 'orders.read');
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  context.respond = false;
  await provider.interactionFinished(context.req, context.res, result);
});

provider.on('backchannel.error', (_, error) => console.log(`logout failed: ${error.message}`));
provider.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${issuer}`));
