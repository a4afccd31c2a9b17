// usage: tsx fingerprints.ts     prints the table of ../../../crates/stack/src/asset/witness.json: what aws-cdk-lib makes of one
// tree of files under different options
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { FileSystem, IgnoreMode, SymlinkFollowMode } from 'aws-cdk-lib';

const files: Record<string, string> = {
  'index.js': 'exports.handler = 1;\n', 'index.test.js': 'test', 'README.md': 'one\r\ntwo\r\n', '.env': 'A=1', '.git/config': 'x', '.git/a/b': 'y',
  'src/main.rs': 'fn main() {}', 'src/deep/er/lib.rs': 'lib', 'src/deep/.hidden/x.rs': 'hidden', 'src/deep/er/x.test.js': 't', 'src/Upper.TXT': 'U',
  'node_modules/a/index.js': 'a', 'node_modules/a/node_modules/b/index.js': 'b', 'src/node_modules/c.js': 'c', 'data/1.csv': '1', 'data/2.csv': '2', 'data/10.csv': '10',
  'data/keep.me': 'k', 'logs/x/keep.txt': 'keep', 'logs/x/y.log': 'log', 'a b.txt': 'space', 'x[1].txt': 'class', 'bin': 'nul\0\r\n', 'Z': 'z', 'é.txt': 'e', '.is_custom_resource': '',
  'big.txt': 'x'.repeat(8191) + '\r\n' + 'y'.repeat(20000),
};
const links: Record<string, string> = {
  'inside': 'src/main.rs', 'inside-folder': 'src/deep', 'outside': '../outside.txt', 'outside-folder': '../outside', 'dangling': 'nowhere', 'src/up': '../data/1.csv',
};
const glob = ['*', '*.js', '**/*.js', 'src', 'src/', 'src/**', 'src/*', '**', '.*', '**/.*', '.git', '.git/**', 'node_modules', '**/node_modules', '**/node_modules/**', 'data/{1,2}.csv', 'data/{1..3}.csv',
  'data/?.csv', 'data/[!1].csv', 'data/[0-9]*.csv', '*.{md,txt}', 'src/**/x*', 'src/**/er/*', '/index.js', './index.js', '#x', 'x\\[1\\].txt', '*.TXT', 'index?(.test).js', 'data/+([0-9]).csv', '@(Z|bin)', 'inside', 'é.txt', 'a b.txt', '{bin}', '.is_custom_resource'];
const lists: [IgnoreMode, string[]][] = [
  ...glob.map((pattern): [IgnoreMode, string[]] => [IgnoreMode.GLOB, [pattern]]),
  [IgnoreMode.GLOB, ['*', '!index.js']], [IgnoreMode.GLOB, ['**/*.js', '!index.js', 'index.test.js']], [IgnoreMode.GLOB, ['src', '!src/main.rs']], [IgnoreMode.GLOB, ['!*.js', '*.js']],
  ...['*', '*.js', '/*.js', 'src', 'src/', '/src/', 'src/*', 'src/**', '**/er', '**/er/**', 'src/**/x*', 'deep/er', 'node_modules', 'node_modules/', '/node_modules', '*.txt', '*.TXT', '.*', '!x', '#x', '\\#x', 'data/?.csv', 'data/[12].csv', 'data/[!1].csv', 'x\\[1\\].txt',
    'a\\ b.txt', 'a b.txt  ', 'inside', 'inside-folder/', '**', 'logs/**', 'index.js/', 'er', 'SRC'].map((pattern): [IgnoreMode, string[]] => [IgnoreMode.GIT, [pattern]]),
  [IgnoreMode.GIT, ['logs/*', '!logs/x/keep.txt']], [IgnoreMode.GIT, ['*.js', '!index.js']], [IgnoreMode.GIT, ['/*', '!/src', '/src/*', '!/src/deep']], [IgnoreMode.GIT, ['logs/**', '!logs/x', '!logs/x/keep.txt']], [IgnoreMode.GIT, ['data\nsrc']],
  ...['*', '*.js', '**/*.js', '/index.js', 'src', 'src/', './src', 'src/deep/..', 'src/*', 'src/**', '**/node_modules', 'node_modules', '.*', '**/.*', '**', '# x', 'data/?.csv', 'data/[12].csv', 'README.MD', 'logs/**', '*/*.rs', 'src/*/er'].map((pattern): [IgnoreMode, string[]] => [IgnoreMode.DOCKER, [pattern]]),
  [IgnoreMode.DOCKER, ['*', '!index.js']], [IgnoreMode.DOCKER, ['*', '!src/deep/er/lib.rs']], [IgnoreMode.DOCKER, ['logs', '!logs/x/keep.txt']], [IgnoreMode.DOCKER, ['**', '!**/*.rs']], [IgnoreMode.DOCKER, ['src', '!src/main.rs', 'src/main.rs']],
];

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'fingerprints-'));
const tree = path.join(root, 'tree');
const outside: Record<string, string> = { '../outside.txt': 'outside', '../outside/a/b.txt': 'far', '../outside/index.js': 'far' };
for (const [name, content] of Object.entries({ ...files, ...outside })) {
  fs.mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
  fs.writeFileSync(path.join(tree, name), content);
}
for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, path.join(tree, name));

const follows = [SymlinkFollowMode.NEVER, SymlinkFollowMode.ALWAYS, SymlinkFollowMode.EXTERNAL, SymlinkFollowMode.BLOCK_EXTERNAL];
const options: any[] = [
  {}, { extraHash: 'salt' }, ...follows.map(follow => ({ follow, exclude: follow === SymlinkFollowMode.BLOCK_EXTERNAL ? ['outside*', 'dangling'] : [] })),
  ...lists.map(([ignoreMode, exclude]) => ({ ignoreMode, exclude })), ...lists.filter((_, index) => index % 9 === 0).map(([ignoreMode, exclude]) => ({ ignoreMode, exclude, follow: SymlinkFollowMode.ALWAYS })),
];
const cases = options.map(options => ({ ...options, hash: FileSystem.fingerprint(tree, options) }));
const single = Object.keys(files).filter(name => !name.includes('/')).map(name => ({ file: name, hash: FileSystem.fingerprint(path.join(tree, name)) }));
const lines = (rows: any[]) => rows.map(row => `  ${JSON.stringify(row)}`).join(',\n');
console.log(`{\n"files": ${JSON.stringify({ ...files, ...outside })},\n"links": ${JSON.stringify(links)},\n"single": [\n${lines(single)}\n],\n"cases": [\n${lines(cases)}\n]\n}`);
fs.rmSync(root, { recursive: true });
