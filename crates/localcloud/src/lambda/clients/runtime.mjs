// Runs a Node.js handler over the Lambda runtime API, for the embedded cloud. Usage: node runtime.mjs
// Handlers may be async functions or take a callback, in CommonJS or ES modules, as in AWS's own runtimes.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { pathToFileURL, urlToHttpOptions } from 'node:url';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, resource, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : Buffer.from(body);
    const request = http.request(
      { host, port, agent, method, path: `/2018-06-01/runtime${resource}`, headers: content ? { ...headers, 'Content-Length': content.length } : headers },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(content);
  });
}

// Custom resources answer to a URL that is HTTPS in AWS, and their code often drops its scheme and port. Here the
// answers go to the embedded cloud by HTTP.
const secure = https.request;
https.request = function request(...given) {
  const url = typeof given[0] === 'string' ? new URL(given[0]) : given[0];
  const isUrl = url instanceof URL;
  const options = isUrl ? { ...urlToHttpOptions(url), ...(typeof given[1] === 'object' ? given[1] : {}) } : url;
  if (!options?.path?.startsWith('/_aws/local/custom-resource/')) return secure.apply(https, given);
  const cloud = new URL(process.env.AWS_ENDPOINT_URL);
  const { agent, protocol, ...rest } = options;
  const to = { ...rest, host: cloud.hostname, hostname: cloud.hostname, port: cloud.port };
  return http.request(to, given.findLast((argument) => typeof argument === 'function'));
};
syncBuiltinESMExports();

function describe(error) {
  const known = error instanceof Error;
  return JSON.stringify({
    errorType: known ? error.name : typeof error,
    errorMessage: known ? error.message : String(error),
    trace: known && error.stack ? error.stack.split('\n') : [],
  });
}

async function load() {
  const root = process.env.LAMBDA_TASK_ROOT;
  const handler = process.env._HANDLER;
  const folder = path.dirname(handler);
  const [file, ...names] = path.basename(handler).split('.');
  const base = path.resolve(root, folder, file);
  const candidates = ['', '.js', '.mjs', '.cjs'].map((extension) => base + extension);
  const found = candidates.find((candidate) => fs.existsSync(candidate) && fs.statSync(candidate).isFile());
  if (!found) {
    const error = new Error(`Cannot find module '${file}'`);
    error.name = 'Runtime.ImportModuleError';
    throw error;
  }
  // CommonJS is required, so that `exports` keeps every shape; what is an ES module is imported.
  let module;
  try {
    module = found.endsWith('.mjs') ? await import(pathToFileURL(found)) : createRequire(pathToFileURL(found))(found);
  } catch (error) {
    if (error?.code !== 'ERR_REQUIRE_ESM' && !(error instanceof SyntaxError)) throw error;
    module = await import(pathToFileURL(found));
  }
  const exported = names.reduce((value, name) => value?.[name], module);
  if (typeof exported !== 'function') {
    const error = new Error(`${handler} is undefined or not exported`);
    error.name = 'Runtime.HandlerNotFound';
    throw error;
  }
  return exported;
}

function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    context.done = callback;
    context.succeed = resolve;
    context.fail = reject;
    const result = handler(event, context, callback);
    if (result && typeof result.then === 'function') result.then(resolve, reject);
    else if (result !== undefined && handler.length < 3) resolve(result);
    else if (handler.length < 3) resolve(null);
  });
}

let handler;
try {
  handler = await load();
} catch (error) {
  console.error(error);
  await call('POST', '/init/error', describe(error), { 'Lambda-Runtime-Function-Error-Type': error?.name ?? 'Error' });
  process.exit(1);
}

// The server is gone when a call fails: nothing is left to do for this process.
process.on('unhandledRejection', (error) => {
  console.error(error);
  process.exit(128);
});
for (;;) {
  const next = await call('GET', '/invocation/next').catch(() => process.exit(0));
  const id = next.headers['lambda-runtime-aws-request-id'];
  const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
  process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'];
  const context = {
    awsRequestId: id,
    invokedFunctionArn: next.headers['lambda-runtime-invoked-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  let answer;
  try {
    const result = await run(handler, JSON.parse(next.body), context);
    answer = ['response', JSON.stringify(result === undefined ? null : result)];
  } catch (error) {
    console.error(error);
    answer = ['error', describe(error)];
  }
  await call('POST', `/invocation/${id}/${answer[0]}`, answer[1]).catch(() => process.exit(0));
}
