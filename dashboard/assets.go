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
	"strings"
)

//go:generate go run -C ../tools ./dashboard

// files is what browsers get: the document, what was bundled of the modules
// and style sheets in web, and the licences of the libraries among them.
//
//go:embed built web/index.html web/icon.svg web/vendor/*.LICENSE
var files embed.FS

const (
	indexFile = "web/index.html" // the document in which the pages are drawn
	styleFile = "built/app.css"  // which is part of the document
	markFile  = "web/icon.svg"   // which is what it shows first
)

// asset is one file, ready to be sent.
type asset struct {
	contentType string
	etag        string // quoted
	plain, gzip []byte
}

// contentTypes are those of the files that have URLs of their own, by
// extension.
func contentTypes() map[string]string {
	return map[string]string{
		".js":      "text/javascript; charset=utf-8",
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

// loadAssets reads the files that have URLs of their own. version names all of
// them together: it is part of their paths, so that browsers may keep them for
// ever.
func loadAssets() (assets map[string]*asset, version string, err error) {
	assets = map[string]*asset{}
	whole := sha256.New()
	err = fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contentType, ok := contentTypes()[path.Ext(file)]
		if !ok {
			return nil // the document, and what is part of it
		}
		plain, err := files.ReadFile(file)
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(file, "/")                            // beneath built or web
		_, _ = fmt.Fprintf(whole, "%s %d\n%s", name, len(plain), plain) // a hash takes everything
		assets[name], err = newAsset(contentType, plain)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("dashboard: read the assets: %w", err)
	}
	return assets, hex.EncodeToString(whole.Sum(nil)[:6]), nil
}
