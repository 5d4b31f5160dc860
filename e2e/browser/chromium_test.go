package browser_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asyncops/asyncops/internal/testkit"
)

// chromium is the browser that the tests share.
var chromium struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // chromedp's handle of a browser is a context
	err  error
}

// browser starts the browser for the first test that needs one. It is stopped
// after the last.
func browser(t testing.TB) context.Context {
	t.Helper()
	path := testkit.Chromium(t)
	chromium.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1440, 900))
		if os.Geteuid() == 0 {
			options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		testkit.AtEnd(func() {
			_ = chromedp.Cancel(ctx) // it asks the browser to close; stop sees to it
			cancel()
			stop()
		})
		chromium.ctx, chromium.err = ctx, chromedp.Do(ctx) //nolint:fatcontext // it is the browser, once
	})
	if chromium.err != nil {
		t.Fatalf("start the browser: %v", chromium.err)
	}
	return chromium.ctx
}
