// Command dashboard bundles the pages of package dashboard: their modules and
// the libraries beside them into one script, their style sheets into one. It
// is run by go generate, and what it writes is committed.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// pages is the folder of package dashboard, as seen from that of this module.
const pages = "../dashboard"

// notice is the first line of the script.
const notice = "/*! Contains preact, @preact/signals, htm and uPlot, whose licences are beside this file: " +
	"vendor/preact.LICENSE, vendor/signals.LICENSE, vendor/htm.LICENSE, vendor/uplot.LICENSE */"

func main() {
	if err := bundle(pages); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// bundle writes built/app.js and built/app.css of a folder from web/app.js,
// web/app.css and what they import.
func bundle(folder string) error {
	root, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: root,
		EntryPoints:   []string{"web/app.js", "web/app.css"},
		Outdir:        "built",
		Bundle:        true,
		Write:         true,
		Format:        api.FormatESModule,
		Platform:      api.PlatformBrowser,
		Target:        api.ES2024,
		Charset:       api.CharsetUTF8,
		TsconfigRaw:   "{}", // nothing of the type checks' settings

		MinifySyntax: true, MinifyWhitespace: true, MinifyIdentifiers: true,

		Alias: map[string]string{
			"preact":               "./web/vendor/preact.mjs",
			"preact/hooks":         "./web/vendor/hooks.mjs",
			"@preact/signals":      "./web/vendor/signals.mjs",
			"@preact/signals-core": "./web/vendor/signals-core.mjs",
			"htm":                  "./web/vendor/htm.mjs",
			"uplot":                "./web/vendor/uplot.mjs",
		},
		Banner:   map[string]string{"js": notice},
		LogLevel: api.LogLevelWarning, // which it prints
	})
	if len(result.Errors)+len(result.Warnings) > 0 {
		return errors.New("the pages were not bundled, for what is said above")
	}
	return nil
}
