package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// web is everything that a browser gets: sources, and libraries as their
// publishers ship them.
//
//go:embed web
var web embed.FS

// indexFile is the document in which the pages are drawn.
const indexFile = "index.html"

// asset is one file, ready to be sent.
type asset struct {
	contentType string
	etag        string // quoted
	plain, gzip []byte
}

// contentTypes are those of the files that browsers may have, by extension.
func contentTypes() map[string]string {
	return map[string]string{
		".css":     "text/css; charset=utf-8",
		".js":      "text/javascript; charset=utf-8",
		".mjs":     "text/javascript; charset=utf-8",
		".svg":     "image/svg+xml",
		".LICENSE": "text/plain; charset=utf-8",
	}
}

// newAsset compresses what is sent often once.
func newAsset(contentType string, plain []byte) (*asset, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return &asset{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, plain: plain, gzip: packed.Bytes()}, nil
}

// loadAssets reads the embedded files. version names all of them together: it
// is part of their paths, so that browsers may keep them for ever.
func loadAssets() (assets map[string]*asset, version string, err error) {
	assets = map[string]*asset{}
	whole := sha256.New()
	err = fs.WalkDir(web, "web", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contentType, ok := contentTypes()[path.Ext(file)]
		if !ok {
			return nil // the document, and notes for developers
		}
		plain, err := web.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, "web/")
		_, _ = fmt.Fprintf(whole, "%s %d\n%s", name, len(plain), plain) // a hash takes everything
		assets[name], err = newAsset(contentType, plain)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("dashboard: read the assets: %w", err)
	}
	return assets, hex.EncodeToString(whole.Sum(nil)[:6]), nil
}

// modules lists the scripts that the document's own imports, which browsers
// are told to fetch at once instead of one after the other.
func modules(assets map[string]*asset) []string {
	var names []string
	for name := range assets {
		if ext := path.Ext(name); (ext == ".js" || ext == ".mjs") && name != themeScript {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
