/**
 * Who is using the page. The server has no authentication yet; when it has, the login page puts the token here, every
 * request and the event stream carry it, and `onUnauthorized` leads back to the login.
 */
let token: string | null = null;
let unauthorized: () => void = () => {};

export const session = {
  get headers(): Record<string, string> {
    return token ? { authorization: `Bearer ${token}` } : {};
  },
  signIn(value: string | null) {
    token = value;
  },
  onUnauthorized(then: () => void) {
    unauthorized = then;
  },
  refused() {
    unauthorized();
  },
};
