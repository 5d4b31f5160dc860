// Package dashboard holds the pages with which people watch and steer an
// installation, and serves them: a document, and the one script that draws in
// it. Their sources are the ES modules and style sheets in web; what browsers
// get is bundled of them by go generate and kept in built, so that go build is
// the whole build.
//
// The pages get their data from the REST interface and from its event streams,
// as everybody does; this package knows neither jobs nor the ledger.
package dashboard
