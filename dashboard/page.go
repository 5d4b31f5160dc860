package dashboard

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// themeScript runs before anything is drawn, so that the page does not flash
// in the colours that its reader has not chosen.
const themeScript = "theme.js"

// bareImports are the names under which modules import libraries.
func bareImports() map[string]string {
	return map[string]string{
		"preact":               "vendor/preact.mjs",
		"preact/hooks":         "vendor/hooks.mjs",
		"@preact/signals":      "vendor/signals.mjs",
		"@preact/signals-core": "vendor/signals-core.mjs",
		"htm":                  "vendor/htm.mjs",
		"uplot":                "vendor/uplot.mjs",
	}
}

// page is the document for URLs of one depth. All of its links are relative,
// so that it works behind proxies that serve it beneath a path of their own.
type page struct {
	asset

	policy string // Content-Security-Policy
}

// newPage writes the document for a URL that lies depth folders beneath the
// dashboard's base, which lies baseDepth folders beneath the server's root.
func newPage(index, version string, scripts []string, depth, baseDepth int) (*page, error) {
	base := "./" + strings.Repeat("../", depth)
	assets := base + assetFolder + version + "/"
	imports := map[string]string{}
	for name, file := range bareImports() {
		imports[name] = assets + file
	}
	importMap, err := json.Marshal(map[string]any{"imports": imports})
	if err != nil {
		return nil, fmt.Errorf("dashboard: write the import map: %w", err)
	}
	var preloads strings.Builder
	for _, name := range scripts {
		fmt.Fprintf(&preloads, "<link rel=\"modulepreload\" href=\"%s%s\">\n", assets, name)
	}
	text := strings.NewReplacer(
		"{{base}}", base, "{{root}}", base+strings.Repeat("../", baseDepth), "{{assets}}", assets,
		"{{importmap}}", string(importMap), "{{preloads}}", preloads.String(),
	).Replace(index)
	a, err := newAsset("text/html; charset=utf-8", []byte(text))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(importMap)
	return &page{asset: *a, policy: policy("'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")}, nil
}

// policy lets the page load what this server sends and nothing else; the only
// inline script is the import map, named by its hash, and no text can become
// markup or code.
func policy(importMap string) string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self' " + importMap, "style-src 'self'", "img-src 'self'", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}
