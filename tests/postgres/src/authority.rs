//! A certificate authority of one's own, as a company has one: nobody trusts it who was not told to.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a server shows, and what it proves that with; both PEM.
pub struct Certified {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    /// # Panics
    /// When the machine has no randomness.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a new key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate by its own key");
        Self { issuer }
    }

    /// The certificate by which it is trusted, PEM.
    pub fn root(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names and addresses.
    ///
    /// # Panics
    /// When one of them is neither.
    pub fn certify(&self, names: &[&str]) -> Certified {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names of hosts");
        let key = KeyPair::generate().expect("a new key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certified {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}
