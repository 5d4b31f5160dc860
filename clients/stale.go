package clients

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/asyncops/asyncops/httpop"
)

// maxTagged is how many segments of a path have a tag for what is below them.
const maxTagged = 12

// tagsOf is what the answer to a GET of a path depends on: the path itself, and
// what is below each of the paths that lead to it.
func tagsOf(path string) []string {
	path = plainPath(path)
	tags := []string{at(path)}
	for i, depth := 0, 0; i < len(path)-1 && depth <= maxTagged; i++ {
		if path[i] == '/' {
			tags = append(tags, below(path[:max(i, 1)]))
			depth++
		}
	}
	return tags
}

// at is the tag of a plain path, below that of all paths that it leads to.
func at(path string) string    { return "=" + path }
func below(path string) string { return "^" + path }

// plainPath is the same for all ways to write a path.
func plainPath(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return "/" + strings.Trim(path, "/")
}

// changed makes stale what is kept of the paths that an unsafe call may have
// changed (RFC 9111 §4.4): before anybody hears of its end, and also if nobody
// can tell whether it was carried out. If Redis is away, all processes have
// stopped to trust the cache when it returns.
func (k *call) changed(resp *httpop.Response) {
	if k.space == nil || safeMethod(k.request.Method) || k.sends == 0 || k.refusedAll() {
		return
	}
	tags := []string{at(plainPath(k.request.Path))}
	if resp != nil {
		for _, name := range []string{"location", "content-location"} {
			if path, ok := k.pathOf(resp.Headers[name]); ok {
				tags = append(tags, at(path))
			}
		}
	}
	_ = k.space.Invalidate(tags, nil) // the cache tells of Redis
}

// safeMethod is RFC 9110 §9.2.1.
func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// refusedAll reports whether the upstream has said to each send that it did not
// do it.
func (k *call) refusedAll() bool {
	for _, status := range k.statuses {
		if status < 400 || status >= 500 {
			return false
		}
	}
	return len(k.statuses) == k.sends
}

// pathOf is the plain path, below the base URL, of a URL that the upstream has
// named; false for those of others.
func (k *call) pathOf(reference string) (string, bool) {
	u, err := url.Parse(reference)
	if err != nil || reference == "" {
		return "", false
	}
	u = k.target.ResolveReference(u)
	path, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(k.base.EscapedPath(), "/"))
	return plainPath(path), ok && u.Scheme == k.base.Scheme && hostPort(u) == hostPort(k.base)
}

// Stale says which answers count for nothing any more.
type Stale struct {
	Key        string // those that are kept under the key; "" for none
	PathPrefix string // those of the path and of all below it, as Request.Path; "" for none, "/" for all
}

// InvalidateCache makes stale what the cache holds of such answers. It returns
// when no process answers with them any more. The error is cache.ErrAway: Redis
// is away, the processes that share it answer nothing from the cache, and hear
// of it when it is back.
func (c *Client) InvalidateCache(s Stale) error {
	if c.space == nil {
		return nil
	}
	var tags, keys []string
	if s.Key != "" {
		keys = []string{s.Key}
	}
	if s.PathPrefix != "" {
		path := plainPath(s.PathPrefix)
		tags = []string{at(path), below(clipped(path))}
	}
	return c.space.Invalidate(tags, keys)
}

// clipped is the path up to the last segment that has a tag.
func clipped(path string) string {
	for i, depth := 0, 0; i < len(path); i++ {
		if path[i] == '/' {
			if depth++; depth > maxTagged {
				return path[:i]
			}
		}
	}
	return path
}
