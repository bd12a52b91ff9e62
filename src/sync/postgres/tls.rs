//! TLS to a server, in libpq's grades: what is checked follows from `sslmode` and `sslrootcert` and from nothing else.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Roots, Tls};

/// What makes TLS connections of a grade. Reads files, so it belongs on a thread that may wait.
///
/// # Errors
/// In words: there is no authority to check with.
pub(crate) fn connector(mode: Tls, roots: &Roots) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let checks = match mode {
        Tls::Disable | Tls::Prefer | Tls::Require => None,
        Tls::VerifyCa | Tls::VerifyFull => {
            let builder = WebPkiServerVerifier::builder_with_provider(
                Arc::new(authorities(roots)?),
                provider.clone(),
            );
            Some(builder.build().map_err(|why| why.to_string())?)
        }
    };
    let check = Arc::new(Check {
        checks,
        name: mode == Tls::VerifyFull,
        provider: provider.clone(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(check)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(roots: &Roots) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let why = found.errors.first().map(ToString::to_string);
                return Err(format!(
                    "this machine trusts no authority ({}); install its certificates (Debian: ca-certificates), or name \
                     the file of your own with sslrootcert=",
                    why.unwrap_or_else(|| "none was found".to_owned())
                ));
            }
        }
        Roots::File(path) => {
            let told = |why: &dyn std::fmt::Display| {
                format!(
                    "{}, the file of authorities, is not usable: {why}",
                    path.display()
                )
            };
            let certs = CertificateDer::pem_file_iter(path).map_err(|why| told(&why))?;
            for cert in certs {
                let cert = cert.map_err(|why| told(&why))?;
                store.add(cert).map_err(|why| told(&why))?;
            }
            if store.is_empty() {
                return Err(told(&"there is no certificate in it"));
            }
        }
    }
    Ok(store)
}

/// A check of certificates that can do without the name, or without everything but the proof of the key.
#[derive(Debug)]
struct Check {
    checks: Option<Arc<WebPkiServerVerifier>>,
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(checks) = &self.checks else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name comes last, so a fault of the name says that the rest is in order.
        match checks.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
