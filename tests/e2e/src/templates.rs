//! Projects whose app writes templates as they stand in the test, and calls to the project's embedded cloud.

use serde_json::{Map, Value, json};

use crate::Project;
use crate::poller::exchange;

impl Project {
    /// An app whose stacks have these names, dependencies and templates.
    pub fn of_templates(stacks: &[(&str, &[&str], Value)]) -> Self {
        let project = Self::empty();
        project.set_templates(stacks);
        project.write(
            "llama-deploy.toml",
            "[app]\ncommand = ['sh', '-c', 'cp -R assembly/. \"$CDK_OUTDIR\"']\n\
             [environments.local]\nport = 0\nrollout = { backup = 'none' }\n\
             [environments.prod]\nregion = 'eu-west-1'\n",
        );
        project
    }

    /// What the app writes from now on.
    pub fn set_templates(&self, stacks: &[(&str, &[&str], Value)]) {
        let mut artifacts = Map::new();
        for (name, dependencies, template) in stacks {
            self.write(&format!("assembly/{name}.template.json"), &template.to_string());
            artifacts.insert(
                (*name).to_owned(),
                json!({
                    "type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region",
                    "dependencies": dependencies, "properties": { "templateFile": format!("{name}.template.json") }
                }),
            );
        }
        let manifest = json!({ "version": "48.0.0", "artifacts": artifacts });
        self.write("assembly/manifest.json", &manifest.to_string());
    }

    /// One call in the query protocol, for example of `cloudformation`; the answer's XML.
    #[track_caller]
    pub fn call(&self, service: &str, form: &str) -> String {
        let headers = [
            ("Authorization", authorization(service)),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ];
        self.exchange("POST", "", &headers, form)
    }

    #[track_caller]
    pub fn make_bucket(&self, bucket: &str) {
        self.exchange("PUT", bucket, &[("Authorization", authorization("s3"))], "");
    }

    /// Puts an object into a bucket.
    #[track_caller]
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) {
        self.exchange(
            "PUT",
            &format!("{bucket}/{key}"),
            &[("Authorization", authorization("s3"))],
            body,
        );
    }

    /// Deletes an object of a bucket.
    #[track_caller]
    pub fn delete_object(&self, bucket: &str, key: &str) {
        let headers = [("Authorization", authorization("s3"))];
        self.exchange("DELETE", &format!("{bucket}/{key}"), &headers, "");
    }

    #[track_caller]
    fn exchange(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> String {
        let url = format!("{}/{path}", self.endpoint());
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, answer) = exchange(method, &url, &headers, body).expect("the embedded cloud answers");
        assert!((200..300).contains(&status), "{status}: {answer}");
        answer
    }
}

/// The embedded cloud reads the service in it and checks no signature.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
