package dashboard

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// themeCookie holds the colours that the reader has chosen. A cookie, as the
// document then comes in them: no script has to run before the first paint.
const themeCookie = "asyncops_theme"

// themes are the colours that can be chosen; "" are those of the system.
func themes() []string { return []string{"", "light", "dark"} }

// chosenTheme is the theme that the reader has chosen.
func chosenTheme(r *http.Request) string {
	for _, cookie := range r.CookiesNamed(themeCookie) {
		if slices.Contains(themes(), cookie.Value) {
			return cookie.Value
		}
	}
	return ""
}

// pages makes the documents: one for each depth and theme.
type pages struct {
	index     string // with {{…}} where documents differ
	style     string // the style sheet
	mark      string // the icon
	version   string // of the assets
	baseDepth int    // how many folders the dashboard's base lies beneath the server's root
}

// document writes the document for URLs that lie depth folders beneath the
// dashboard's base. All of its links are relative, so that it works behind
// proxies that serve it beneath a path of their own.
func (p pages) document(depth int, theme string) (*asset, error) {
	chosen := ""
	if theme != "" {
		chosen = ` data-theme="` + theme + `"`
	}
	base := "./" + strings.Repeat("../", depth)
	text := strings.NewReplacer(
		"{{theme}}", chosen, "{{style}}", p.style, "{{mark}}", p.mark,
		"{{base}}", base, "{{root}}", base+strings.Repeat("../", p.baseDepth), "{{assets}}", base+assetFolder+p.version+"/",
	).Replace(p.index)
	return newAsset("text/html; charset=utf-8", []byte(text))
}

// policy lets the page load what this server sends and nothing else. No script
// is inline, the only style that is one is named by its hash, and no text can
// become markup or code.
func policy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "img-src 'self'", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}
