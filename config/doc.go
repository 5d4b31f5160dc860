// Package config owns the one typed configuration of asyncops: its YAML file,
// environment twins, defaults, expansion of ${…}, and validation. It reports
// every problem at once, each with its file and line (or variable), its
// setting and the fix.
//
// It is the only package that reads the environment. It opens no connection
// and knows no driver: data source names leave it as structured values. It
// refuses anything it does not know, so that a typing error never becomes a
// silent default.
//
// A loaded Config is plain data, to be read by any number of goroutines and
// changed by none. A Secret whose text names a file follows that file by
// itself; everything else needs a restart.
package config
