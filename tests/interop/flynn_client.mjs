// A Flynn partner in JavaScript, on Node's own crypto alone.
//
// Reads {"base_url", "credentials": {"org_id", "handle", "password", "public_key_pem", "gstin",
// "portal_username", "portal_password"}} on standard input, logs in, checks the encryption in both
// modes, registers, fetches and cancels an invoice, makes an e-way bill, and prints one JSON object.

import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  publicEncrypt,
  randomBytes,
} from "node:crypto";

const { base_url: base, credentials } = JSON.parse(await readAll(process.stdin));
const publicKey = credentials.public_key_pem;
const number = `NODE/${randomBytes(4).toString("hex")}`;
const today = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Kolkata" }).format(new Date());

// --- log in, renew ------------------------------------------------------------------------

const tokens = "/theodore/apis/v1/authtokens";
const logIn = (password) => ({
  handle: credentials.handle,
  handleType: "email",
  password,
  tokenDurationInMins: 360,
});
check((await call("POST", tokens, logIn("wrong"))).status === 401, "a wrong password is refused");
const loggedIn = await data("POST", tokens, logIn(credentials.password));
check(loggedIn.associatedOrgs[0].organisation.id === credentials.org_id, "the organisation is named");
check(loggedIn.expiry > Date.now(), "expiry lies ahead, in milliseconds");
const renewed = await data("PUT", tokens, undefined, { Authorization: `Bearer ${loggedIn.token}` });
const token = renewed.token;

const organisation = { "X-FLYNN-N-ORG-ID": credentials.org_id };
const authenticated = { ...organisation, "X-FLYNN-N-USER-TOKEN": token };
check((await data("GET", "/ping")).message === "pong", "ping");
check((await data("GET", "/authenticate", undefined, authenticated)).message === "pong", "token");
const stranger = await call("GET", "/authenticate", undefined, organisation);
check(stranger.status === 403, "no token, no entry");
check(stranger.body.error.message === "err-invalid-token", "and the reason is told");

// --- the encryption, in both modes and all sizes ----------------------------------------------

const message = "Grüße aus Node 🙂";
for (const mode of ["ECB", "CBC"]) {
  for (const size of [16, 24, 32]) {
    const session = newSession(mode, size);
    const headers = { ...authenticated, ...wrapped(session), "X-FLYNN-S-DATA": seal(session, message) };
    for (const method of ["GET", "POST"]) {
      const reply = await data(method, "/authenticate-with-secrets", undefined, headers);
      check(open(session, reply["client-message"]) === message, `${mode} with ${size} bytes`);
    }
    const bad = { ...headers, "X-FLYNN-S-DATA": seal(newSession(mode, size), message) };
    const refused = await call("GET", "/authenticate-with-secrets", undefined, bad);
    check(refused.status === 500, "another key is refused");
    check(refused.body.error.message === "err-aes-decryption-failed", "as the value's failure");
    const without = { ...headers, "X-FLYNN-S-REK": randomBytes(256).toString("base64") };
    const unwrapped = await call("GET", "/authenticate-with-secrets", undefined, without);
    check(unwrapped.body.error.message === "err-unable-to-decrypt-message-with-key", "or the REK's");
  }
}

// --- an invoice ---------------------------------------------------------------------------

const session = newSession("CBC", 32); // one REK for all that follows
const irp = portalHeaders("IRP");
const core = "/basic/einv/v3.0/ni1/eicore/v1.03/Invoice";
const invoice = {
  Version: "1.1",
  TranDtls: { TaxSch: "GST", SupTyp: "B2B" },
  DocDtls: { Typ: "INV", No: number, Dt: today },
  SellerDtls: {
    Gstin: credentials.gstin,
    LglNm: "Node Tools Pvt Ltd",
    Addr1: "1 Example Road",
    Loc: "Bengaluru",
    Pin: 560001,
    Stcd: "29",
  },
  BuyerDtls: {
    Gstin: "URP",
    LglNm: "Käufer GmbH",
    Pos: "96",
    Addr1: "2 Sample Street",
    Loc: "Hamburg",
    Stcd: "96",
  },
  ItemList: [
    {
      SlNo: "1",
      IsServc: "N",
      HsnCd: "820411",
      UnitPrice: 1000.5,
      TotAmt: 1000.5,
      AssAmt: 1000.5,
      GstRt: 18,
      TotItemVal: 1180.59,
    },
  ],
  ValDtls: { AssVal: 1000.5, TotInvVal: 1180.59 },
};
const registered = await call("POST", core, invoice, irp);
check(registered.status === 200 && registered.body.status === "1", "the invoice is registered");
const { Irn: irn, SignedInvoice: signed } = registered.body.data;
check(irn === irnOf(credentials.gstin, today, "INV", number), "the IRN is the government's hash");
const inside = JSON.parse(JSON.parse(Buffer.from(signed.split(".")[1], "base64url")).data);
check(inside.Irn === irn && inside.DocDtls.No === number, "the signed invoice is this one");
check(inside.BuyerDtls.LglNm === "Käufer GmbH", "and keeps its text");

const again = await call("POST", core, invoice, irp);
check(again.status === 502, "a second registration is refused");
check(again.body.error.args.details[0].ErrorCode === "2150", "as a duplicate");

// The portal session stands for the password.
const { "X-FLYNN-S-IRP-PWD": _pwd, "X-FLYNN-S-REK": _rek, "X-FLYNN-S-IV": _iv, ...later } = irp;
const fetched = await data("GET", `${core}/irn/${irn}`, undefined, later);
check(fetched.Status === "ACT", "it is active");
await data("POST", `${core}/Cancel`, { Irn: irn, CnlRsn: "2", CnlRem: "Test" }, irp);
check((await data("GET", `${core}/irn/${irn}`, undefined, irp)).Status === "CNL", "and cancelled");

// --- an e-way bill, first generation: data is a string ------------------------------------------

const made = await call(
  "POST",
  "/basic/ewb/v1.0/v1.03/gen-ewb",
  {
    supplyType: "O",
    subSupplyType: "1",
    docType: "INV",
    docNo: number,
    docDate: today,
    fromGstin: credentials.gstin,
    fromPincode: 560001,
    fromStateCode: 29,
    toGstin: "URP",
    toPincode: 400001,
    toStateCode: 27,
    totInvValue: 1180.59,
    transDistance: "984",
    transMode: "1",
    vehicleNo: "KA01AB1234",
    itemList: [{ hsnCode: 820411, taxableAmount: 1000.5 }],
  },
  portalHeaders("EWB"),
);
check(typeof made.body.data === "string", "v1 carries JSON in a string");
const bill = JSON.parse(made.body.data);
check(/^\d{12}$/.test(String(bill.ewayBillNo)), "a number of twelve digits");
check(/^\d\d\/\d\d\/\d{4} 11:59:00 PM$/.test(bill.validUpto), "valid to the end of a day");

// --- log out ------------------------------------------------------------------------------

await data("POST", "/theodore/apis/v1/logout", undefined, { Authorization: `Bearer ${token}` });
const ended = await call("GET", "/authenticate", undefined, authenticated);
check(ended.status === 403, "the token is worth nothing any more");

console.log(JSON.stringify({ ok: true, irn, eway_bill: bill.ewayBillNo }));

// --- the contract ---------------------------------------------------------------------------

function newSession(mode, size) {
  return { mode, key: randomBytes(size), iv: mode === "CBC" ? randomBytes(16) : null };
}

function algorithm({ mode, key }) {
  return `aes-${key.length * 8}-${mode.toLowerCase()}`;
}

function seal(session, text) {
  const cipher = createCipheriv(algorithm(session), session.key, session.iv);
  return Buffer.concat([cipher.update(text, "utf8"), cipher.final()]).toString("base64");
}

function open(session, value) {
  const decipher = createDecipheriv(algorithm(session), session.key, session.iv);
  return Buffer.concat([decipher.update(value, "base64"), decipher.final()]).toString("utf8");
}

function wrap(bytes) {
  const padding = constants.RSA_PKCS1_PADDING;
  return publicEncrypt({ key: publicKey, padding }, bytes).toString("base64");
}

function wrapped({ mode, key, iv }) {
  const headers = { "X-FLYNN-S-REK": wrap(Buffer.from(key.toString("hex"))) };
  if (mode === "CBC") {
    headers["X-FLYNN-N-AES-ENCRYPTION-MODE"] = "CBC";
    headers["X-FLYNN-S-IV"] = wrap(iv);
  }
  return headers;
}

function portalHeaders(module) {
  return {
    ...authenticated,
    ...wrapped(session),
    [`X-FLYNN-N-${module}-GSTIN`]: credentials.gstin,
    [`X-FLYNN-N-${module}-USERNAME`]: credentials.portal_username,
    [`X-FLYNN-N-${module}-GSP-CODE`]: "vay",
    [`X-FLYNN-S-${module}-PWD`]: seal(session, credentials.portal_password),
  };
}

function irnOf(gstin, day, type, no) {
  const [, month, year] = day.split("/").map(Number);
  const first = month >= 4 ? year : year - 1;
  const financialYear = `${first}-${String((first + 1) % 100).padStart(2, "0")}`;
  return createHash("sha256").update(`${gstin}${financialYear}${type}${no}`).digest("hex");
}

// --- HTTP -----------------------------------------------------------------------------------

async function call(method, path, body, headers = {}) {
  const reply = await fetch(base + path, {
    method,
    headers: {
      Accept: "application/json; charset=UTF-8",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: reply.status, body: await reply.json() };
}

async function data(method, path, body, headers) {
  const reply = await call(method, path, body, headers);
  check(reply.status === 200, `${method} ${path} answers ${reply.status} ${JSON.stringify(reply.body)}`);
  return reply.body.data;
}

function check(holds, what) {
  if (!holds) {
    console.error(`not so: ${what}`);
    process.exit(1);
  }
}

async function readAll(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
