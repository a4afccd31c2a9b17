// usage: tsx app.ts CASE     one case as an app of its own, written to CDK_OUTDIR: what benchmarks run beside ours
import * as path from 'node:path';
import * as cdk from 'aws-cdk-lib';

const name = process.argv[2];
// compiled, this file stands in build/; asset paths in the cases are relative to the folder of the sources
const root = path.basename(__dirname) === 'build' ? path.dirname(__dirname) : __dirname;
process.chdir(root);
const app = new cdk.App({ analyticsReporting: false, context: { 'aws:cdk:enable-path-metadata': false, 'aws:cdk:enable-asset-metadata': false } });
require(path.join(__dirname, 'cases', name)).build(app);
app.synth();
