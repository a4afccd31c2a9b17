//! Databases and caches that are not on loopback or do not show it: by TLS of an own authority, with passwords from secrets, on
//! a real PostgreSQL and real Redis servers.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use e2e::{Ended, Store, boto3};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_postgres::{Authority, PASSWORD, TestPostgres, free_port};

/// Writes the secret of a stack's output.
fn write_secret(store: &Store, output: &str, secret: &str) {
    let script = format!(
        "import boto3\n\
         outputs = boto3.client('cloudformation').describe_stacks(StackName='Store')['Stacks'][0]['Outputs']\n\
         arn = next(o['OutputValue'] for o in outputs if o['OutputKey'] == '{output}')\n\
         boto3.client('secretsmanager').put_secret_value(SecretId=arn, SecretString='''{secret}''')"
    );
    boto3(store, &script);
}

fn append(store: &Store, settings: &str) {
    let file = store.path().join("llama-deploy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("{text}{settings}")).unwrap();
}

const NAME: &str = "database.example.internal";
const OTHER_NAME: &str = "other.example.internal";

/// As root a mount namespace alone; another user needs one in which the right to mount is theirs.
const WAYS: [&[&str]; 2] = [
    &["unshare", "--mount"],
    &["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"],
];

/// A way to run a command that knows the machine by other names, which nobody else does.
fn renaming() -> Option<&'static [&'static str]> {
    let may = |way: &&&[&str]| {
        let mut probe = Command::new(way[0]);
        probe.args(&way[1..]).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        probe.output().is_ok_and(|output| output.status.success())
    };
    let way = WAYS.iter().find(may).copied();
    assert!(
        way.is_some() || std::env::var_os("LLAMA_TEST_NO_SMALL_DISK").is_some(),
        "the test needs util-linux and the right to mount in a namespace: run the tests as root, \
         or with LLAMA_TEST_NO_SMALL_DISK=1 to go without"
    );
    way
}

/// The command in staging, where the database's names are this machine's.
fn with_names(way: &[&str], store: &Store, postgres: &TestPostgres, arguments: &[&str]) -> Ended {
    let hosts = store.path().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 localhost {NAME} {OTHER_NAME}\n")).unwrap();
    let mut inner = store.command(arguments);
    store.to_staging(&mut inner);
    let mut command = Command::new(way[0]);
    command
        .args(&way[1..])
        .args(["sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
    command.arg(&hosts).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [postgres.binaries().to_owned()]
        .into_iter()
        .chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command.current_dir(store.path()).stdin(Stdio::null());
    command.output().unwrap().into()
}

#[test]
fn a_database_elsewhere_is_verified_and_its_authority_is_a_setting() {
    let Some(way) = renaming() else { return };
    let store = Store::new();
    store.in_staging(&["deploy"]).expect(0);
    store.migration("1_users.expand.sql", "CREATE TABLE users (id bigint PRIMARY KEY);\n");
    let authority = Authority::new("the company's own authority");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let postgres = runtime.block_on(TestPostgres::start_certified(&authority, &[NAME]));
    let at = |host: &str| {
        let secret = json!({
            "host": host, "port": postgres.port(), "username": "postgres", "password": PASSWORD, "dbname": "postgres",
        });
        write_secret(&store, "DatabaseSecretArn", &secret.to_string());
    };
    let run = |arguments: &[&str]| {
        let ended = with_names(way, &store, &postgres, arguments);
        assert!(!ended.stdout.contains(PASSWORD) && !ended.stderr.contains(PASSWORD));
        ended
    };
    let refused = |arguments: &[&str], why: &str| {
        let ended = run(arguments).expect(1);
        for word in ["error[LD0602]", "trusted-roots", why] {
            assert!(ended.stderr.contains(word), "no {word}: {}", ended.stderr);
        }
    };

    at(NAME);
    refused(&["migrate", "status"], "UnknownIssuer");
    refused(&["db", "backup"], "UnknownIssuer");
    let settings = store.path().join("llama-deploy.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(
        &settings,
        text.replace("[database]", "[database]\ntrusted-roots = 'certificates/ours.pem'"),
    )
    .unwrap();
    let missing = run(&["migrate", "status"]).expect(1).stderr;
    assert!(
        missing.contains("trusted-roots") && missing.contains("ours.pem"),
        "{missing}"
    );
    store.write("certificates/ours.pem", &Authority::new("a stranger").root());
    refused(&["migrate", "up"], "UnknownIssuer");
    store.write("certificates/ours.pem", &authority.root());
    at(OTHER_NAME);
    refused(&["migrate", "up"], "not valid for name");

    at(NAME);
    run(&["migrate", "up"]).expect(0);
    run(&["db", "backup", "--backup-id", "one"]).expect(0);
    run(&["db", "verify"]).expect(0);
    let restored = run(&["db", "restore", "--backup-id", "one", "--confirm", "staging", "--json"]).expect(0);
    assert_eq!(restored.json()[0]["rows"], 1);
    let log = postgres.log();
    let authorized = log
        .lines()
        .filter(|line| line.contains("connection authorized") && line.contains("application_name=llama-deploy"));
    let (by_tls, all) = (
        authorized.clone().filter(|line| line.contains("SSL enabled")).count(),
        authorized.count(),
    );
    assert!(by_tls > 0 && by_tls == all, "{by_tls} of {all} by TLS:\n{log}");
}

const CACHE_PASSWORD: &str = "a-long-password-of-the-cache";

/// A Redis that wants a password and speaks TLS alone.
struct Redis {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    fn start(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certified = authority.certify(&["127.0.0.1"]);
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("server.crt", &certified.certificate);
        write("server.key", &certified.key);
        write("root.crt", &authority.root());
        let port = free_port();
        write(
            "redis.conf",
            &format!(
                "bind 127.0.0.1\nport 0\ntls-port {port}\ntls-cert-file server.crt\ntls-key-file server.key\n\
                 tls-ca-cert-file root.crt\ntls-auth-clients no\nsave \"\"\nrequirepass {CACHE_PASSWORD}\n"
            ),
        );
        let mut command = Command::new("redis-server");
        command.arg("redis.conf").current_dir(folder.path());
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let redis = Self {
            server,
            port,
            _folder: folder,
        };
        redis.answers();
        redis
    }

    fn answers(&self) {
        for _ in 0..60_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("redis-server does not listen");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// ElastiCache as it describes a group in shards: without the addresses of its nodes, which their own clusters tell (API
/// reference, `DescribeReplicationGroups`). The embedded cloud has no shards.
fn describing(group: &'static str, ports: Vec<u16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let request = read_request(&mut client);
            let body = described(group, &ports, &request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = client.write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

/// The form of one request.
fn read_request(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 4096];
    loop {
        let read = client.read(&mut piece).unwrap_or_default();
        bytes.extend(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let length = |head: &str| {
            let lines = head.lines().map(str::to_lowercase);
            let mut lengths = lines.filter_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            lengths.next().unwrap_or(0_usize)
        };
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && (read == 0 || body.len() >= length(head))
        {
            return body.to_owned();
        }
        if read == 0 {
            return String::new();
        }
    }
}

fn described(group: &str, ports: &[u16], request: &str) -> String {
    let answer = |operation: &str, inner: &str| {
        format!(
            "<{operation}Response xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\">\
             <{operation}Result>{inner}</{operation}Result></{operation}Response>"
        )
    };
    if request.contains("Action=DescribeCacheClusters") {
        let (shard, port) = ports
            .iter()
            .enumerate()
            .map(|(index, port)| (format!("{group}-000{}-001", index + 1), port))
            .find(|(cluster, _)| request.contains(cluster))
            .unwrap();
        return answer(
            "DescribeCacheClusters",
            &format!(
                "<CacheClusters><CacheCluster><CacheClusterId>{shard}</CacheClusterId><Engine>redis</Engine><CacheNodes>\
                 <CacheNode><CacheNodeId>0001</CacheNodeId><Endpoint><Address>127.0.0.1</Address><Port>{port}</Port>\
                 </Endpoint></CacheNode></CacheNodes></CacheCluster></CacheClusters>"
            ),
        );
    }
    let shards: String = (1..=ports.len())
        .map(|shard| {
            format!(
                "<NodeGroup><NodeGroupId>000{shard}</NodeGroupId><NodeGroupMembers><NodeGroupMember>\
                 <CacheClusterId>{group}-000{shard}-001</CacheClusterId><CacheNodeId>0001</CacheNodeId>\
                 </NodeGroupMember></NodeGroupMembers></NodeGroup>"
            )
        })
        .collect();
    answer(
        "DescribeReplicationGroups",
        &format!(
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>{group}</ReplicationGroupId><Engine>redis</Engine>\
             <ClusterEnabled>true</ClusterEnabled><AuthTokenEnabled>true</AuthTokenEnabled>\
             <TransitEncryptionEnabled>true</TransitEncryptionEnabled><ConfigurationEndpoint><Address>127.0.0.1</Address>\
             <Port>1</Port></ConfigurationEndpoint><NodeGroups>{shards}</NodeGroups></ReplicationGroup></ReplicationGroups>"
        ),
    )
}

fn problems(checked: &Value) -> Vec<&str> {
    let problems = checked["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem.as_str().unwrap()).collect()
}

fn write_roots(path: &Path, authority: &Authority) {
    std::fs::write(path.join("ours.pem"), authority.root()).unwrap();
}

#[test]
fn every_shard_of_a_cache_is_asked_by_tls_with_the_password_of_its_secret() {
    let store = Store::new();
    append(
        &store,
        "context = { scenario = 'shards' }\n[cache]\nsecret-output = 'CacheSecretArn'\n",
    );
    store.in_staging(&["deploy"]).expect(0);
    let authority = Authority::new("the company's own authority");
    let first = Redis::start(&authority);
    let second = Redis::start(&authority);
    let elasticache = describing("sessions", vec![first.port, second.port]);
    let check = |status: i32| {
        let mut command = store.command(&["cache", "health-check", "--json"]);
        store.to_staging(&mut command);
        command.env("AWS_ENDPOINT_URL_ELASTICACHE", &elasticache);
        let ended = Ended::from(command.output().unwrap()).expect(status);
        assert!(
            !ended.stdout.contains(CACHE_PASSWORD) && !ended.stderr.contains(CACHE_PASSWORD),
            "a password is said"
        );
        assert!(!ended.stdout.contains("not-the-password") && !ended.stderr.contains("not-the-password"));
        ended.json().remove(0)
    };
    write_secret(
        &store,
        "CacheSecretArn",
        &json!({ "auth_token": CACHE_PASSWORD }).to_string(),
    );

    let untrusted = check(1);
    assert_eq!(problems(&untrusted).len(), 2, "{untrusted}");
    assert!(
        problems(&untrusted)
            .iter()
            .all(|problem| problem.contains("UnknownIssuer")),
        "{untrusted}"
    );
    append(&store, "trusted-roots = 'ours.pem'\n");
    write_roots(store.path(), &Authority::new("a stranger"));
    assert!(
        problems(&check(1))[0].contains("certificate"),
        "a stranger vouches for it"
    );

    write_roots(store.path(), &authority);
    let well = check(0);
    let shards: Vec<&Value> = well["caches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cache| &cache["shard"])
        .collect();
    assert_eq!(shards, ["0001", "0002"], "{well}");
    for cache in well["caches"].as_array().unwrap() {
        assert_eq!(
            (&cache["answers"], &cache["role"]),
            (&true.into(), &"master".into()),
            "{well}"
        );
    }

    // The whole secret is the password where it has no member.
    write_secret(&store, "CacheSecretArn", "not-the-password");
    let wrong = check(1);
    assert_eq!(problems(&wrong).len(), 2, "{wrong}");
    for problem in problems(&wrong) {
        assert!(problem.contains("refuses the password in the secret"), "{problem}");
    }
    write_secret(&store, "CacheSecretArn", CACHE_PASSWORD);
    check(0);

    let gone = format!("shard 0002 at 127.0.0.1:{}: it does not answer", second.port);
    drop(second);
    let half = check(1);
    assert_eq!(problems(&half).len(), 1, "{half}");
    assert!(problems(&half)[0].contains(&gone), "{half}");
    assert_eq!(half["caches"][0]["answers"], true, "{half}");
}
