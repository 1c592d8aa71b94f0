// A real OpenID Connect provider on 127.0.0.1 whose people, keys and lifetimes a test may change.
//
// Usage: node provider.mjs PORT; stops when its standard input ends. What it serves beside the
// protocol stands under /test and is spoken by napari_hmz/testing/issuer.py.
import { createServer } from 'node:http';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const API_SCOPES = 'openid profile email offline_access entitlements eduperson_entitlement';
const GROUPS = ['entitlements', 'eduperson_entitlement'];

const accounts = {}; // name -> claims
const lifetimes = { access_s: 300, refresh_s: 86400 };
const keys = []; // the newest first: it signs
let provider;

const CLIENTS = [
  {
    client_id: 'hmz-desktop', // the person's machine: no secret, any port
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  },
  {
    client_id: 'hmz-backend', // may ask what a token is worth
    client_secret: 'the-secret-of-the-tests',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  },
  {
    client_id: 'jupyterhub',
    client_secret: 'the-secret-of-the-hub',
    application_type: 'native', // a hub of the tests has any port, too
    redirect_uris: ['http://127.0.0.1/hub/oauth_callback'],
    grant_types: ['authorization_code', 'refresh_token'],
  },
];

async function newKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg, use: 'sig' };
  return { ...key, kid: await calculateJwkThumbprint(key) };
}

const onlyGroups = (claims = {}) => Object.fromEntries(GROUPS.filter((name) => name in claims).map((name) => [name, claims[name]]));

// A resource is an API: its tokens are JWTs made for it. Without one, tokens are opaque.
function resourceServer(ctx, resource, client) {
  return {
    scope: API_SCOPES,
    audience: resource === 'urn:test:client' ? client.clientId : resource, // Helmholtz ID names the client
    accessTokenFormat: 'jwt',
    accessTokenTTL: lifetimes.access_s,
    jwt: { sign: { alg: resource === 'urn:test:es256' ? 'ES256' : 'RS256' } },
  };
}

function makeProvider() {
  return new Provider(issuer, {
    clients: CLIENTS,
    jwks: { keys },
    cookies: { keys: ['of the tests'] },
    pkce: { required: (ctx, client) => client.clientAuthMethod === 'none' },
    scopes: API_SCOPES.split(' '),
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      entitlements: ['entitlements'],
      eduperson_entitlement: ['eduperson_entitlement'],
    },
    conformIdTokenClaims: false,
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'hmz-backend' },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, defaultResource: () => undefined, useGrantedResource: () => true, getResourceServerInfo: resourceServer },
    },
    extraTokenClaims: (ctx, token) => (token.accountId ? onlyGroups(accounts[token.accountId]) : undefined),
    issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => lifetimes.access_s,
      RefreshToken: () => lifetimes.refresh_s,
      ClientCredentials: () => lifetimes.access_s,
      IdToken: 300, DeviceCode: 600, Interaction: 600, Session: 3600, Grant: 86400,
    },
    findAccount: (ctx, id) => (accounts[id] ? { accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) } : undefined),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
  });
}

// Nobody is asked: the person is named by login_hint or by the cookie `account`; `deny` says no.
async function interact(req, res) {
  const details = await provider.interactionDetails(req, res);
  const cookie = /(?:^|;\s*)account=([^;]+)/.exec(req.headers.cookie ?? '');
  const who = details.params.login_hint ?? cookie?.[1] ?? Object.keys(accounts)[0];
  if (who === 'deny') {
    return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person said no' });
  }
  if (details.prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: who } }, { mergeWithLastSubmission: false });
  }
  const client = { accountId: details.session.accountId, clientId: details.params.client_id };
  const grant = details.grantId ? await provider.Grant.find(details.grantId) : new provider.Grant(client);
  const missing = details.prompt.details;
  if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(' '));
  if (missing.missingOIDCClaims) grant.addOIDCClaims(missing.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const CONTROLS = {
  account: ({ name, claims }) => { accounts[name] = claims; },
  forget: ({ name }) => { delete accounts[name]; },
  lifetimes: (given) => Object.assign(lifetimes, given),
  async rotate({ keep }) {
    const fresh = [await newKey('RS256'), await newKey('ES256')];
    keys.splice(0, keep ? 0 : keys.length, ...fresh);
    provider = makeProvider();
  },
  async sign({ claims, header }) {
    const key = keys.find(({ alg }) => alg === (header.alg ?? 'RS256'));
    return new SignJWT(claims).setProtectedHeader({ typ: 'at+jwt', alg: key.alg, kid: key.kid, ...header }).sign(await importJWK(key, key.alg));
  },
};

async function control(req, res) {
  const body = [];
  for await (const part of req) body.push(part);
  const answer = await CONTROLS[req.url.slice('/test/'.length)](JSON.parse(Buffer.concat(body)));
  res.setHeader('Content-Type', 'application/json').end(JSON.stringify(typeof answer === 'string' ? answer : null));
}

function serve(req, res) {
  if (req.url.startsWith('/test/')) return control(req, res);
  if (req.url.startsWith('/interaction/')) return interact(req, res);
  return provider.callback()(req, res);
}

await CONTROLS.rotate({ keep: false });
createServer((req, res) => {
  Promise.resolve(serve(req, res)).catch((error) => res.writeHead(500).end(String(error)));
}).listen(port, '127.0.0.1', () => console.log('listening'));
process.stdin.resume().on('end', () => process.exit(0));
