//! A certificate authority of a test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A root and an intermediate below it, which signs servers.
pub(crate) struct Authority {
    /// The root's certificate: what `egress.ca_file` holds.
    pub(crate) pem: String,
    intermediate: CertificateDer<'static>,
    signs: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (root_key, root) = (KeyPair::generate().unwrap(), signing(name));
        let pem = root.self_signed(&root_key).unwrap().pem();
        let (key, intermediate) = (KeyPair::generate().unwrap(), signing(&format!("{name}, servers")));
        let issuer = Issuer::new(root, root_key);
        let certificate = intermediate.signed_by(&key, &issuer).unwrap();
        Self { pem, intermediate: certificate.der().clone(), signs: Issuer::new(intermediate, key) }
    }

    /// TLS as a server of these names that shows its whole chain.
    pub(crate) fn server(&self, names: &[&str]) -> TlsAcceptor {
        self.showing(&server(names), true)
    }

    /// TLS as a server of these names that shows only itself.
    pub(crate) fn server_without_chain(&self, names: &[&str]) -> TlsAcceptor {
        self.showing(&server(names), false)
    }

    /// TLS as a server of these names whose certificate ran out in 2001.
    pub(crate) fn server_of_old(&self, names: &[&str]) -> TlsAcceptor {
        let mut params = server(names);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.showing(&params, true)
    }

    fn showing(&self, params: &CertificateParams, whole: bool) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut chain = vec![params.signed_by(&key, &self.signs).unwrap().der().clone()];
        if whole {
            chain.push(self.intermediate.clone());
        }
        acceptor(chain, &key)
    }
}

/// TLS as a server of these names that vouches for itself.
pub(crate) fn self_signed(names: &[&str]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    acceptor(vec![server(names).self_signed(&key).unwrap().der().clone()], &key)
}

fn server(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn signing(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
