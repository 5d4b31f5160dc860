// Package dashboard holds the pages with which people watch and steer an
// installation, and serves them: one document, style sheets, and ES modules
// that run in the browser as they are written here, with nothing to build.
//
// The pages get their data from the REST interface and from its event streams,
// as everybody does; this package knows neither jobs nor the ledger.
package dashboard
