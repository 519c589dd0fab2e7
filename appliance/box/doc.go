// Package box is the box itself, as far as it is not about visits: the certificate that it shows, and the doctor that
// tells an administrator in plain German what is wrong and what to do.
//
// # Certificates
//
// A [Certificate] is asked for by the TLS listener at every handshake and can change beneath it. There are two kinds.
// [OwnCertificate] keeps an authority of its own in DIR/tls and signs itself a leaf for every name and address of the
// box; the leaf is made again when those change or when it has less than 30 days left, the authority stays, so a browser
// that trusts it keeps doing so. [FileCertificate] shows real ones and reads them again when the files change; a pair
// that does not fit or cannot be read is reported and the old one stays in use.
//
// # The doctor
//
// [Diagnose] is pure: [Facts] in, findings out, worst first. What is to be measured on the machine is in measure.go; what the
// other packages know (sockets, addresses, the database) comes from the caller.
package box
