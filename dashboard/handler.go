package dashboard

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	assetFolder = "assets/"
	maxDepth    = 2 // of a page's URL beneath the base: jobs/{id} has 1
)

// Handler serves the dashboard. It is safe for concurrent use.
type Handler struct {
	base      string
	version   string
	policy    string // Content-Security-Policy of the documents
	assets    map[string]*asset
	documents [maxDepth + 1]map[string]*asset // by depth and theme
}

// New returns a handler for the URLs beneath base, which begins and ends with
// a slash.
func New(base string) (*Handler, error) {
	if !strings.HasPrefix(base, "/") || !strings.HasSuffix(base, "/") || base == "/" {
		return nil, errors.New("dashboard: the base path must be that of a folder, such as /dashboard/")
	}
	assets, version, err := loadAssets()
	if err != nil {
		return nil, err
	}
	p := pages{version: version, baseDepth: strings.Count(base, "/") - 1}
	for file, text := range map[string]*string{indexFile: &p.index, styleFile: &p.style, markFile: &p.mark} {
		content, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		*text = string(content)
	}
	h := &Handler{base: base, version: version, policy: policy(p.style), assets: assets}
	for depth := range h.documents {
		h.documents[depth] = map[string]*asset{}
		for _, theme := range themes() {
			if h.documents[depth][theme], err = p.document(depth, theme); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// How deep a page lies is told by the URL as it was sent: %2F is no slash.
	path, beneath := strings.CutPrefix(r.URL.EscapedPath(), h.base)
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch asked, isAsset := strings.CutPrefix(path, assetFolder); {
	case !beneath && r.URL.EscapedPath()+"/" == h.base:
		redirect(w, h.base[strings.LastIndex(h.base[:len(h.base)-1], "/")+1:])
	case !beneath:
		http.NotFound(w, r)
	case isAsset:
		h.serveAsset(w, r, asked)
	case len(path) > 1 && strings.HasSuffix(path, "/"):
		name := path[:len(path)-1]
		redirect(w, "../"+name[strings.LastIndex(name, "/")+1:])
	default:
		h.servePage(w, r, path)
	}
}

// redirect sends the browser to a URL that is relative to the one it asked for:
// what a proxy has in front of the path is not known here.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusPermanentRedirect)
}

// screens are the paths of pages; the second of two segments names one thing.
func screens() []string {
	return []string{"", "jobs", "jobs/*", "queues", "queues/*", "schedules", "schedules/*", "targets", "workers", "submit", "audit"}
}

// known reports whether there is a page with the path.
func known(path string) bool {
	if first, rest, two := strings.Cut(path, "/"); two && rest != "" {
		path = first + "/*"
	}
	return slices.Contains(screens(), path)
}

// servePage sends the document, in which the browser draws the page that the
// path names, or says that there is none.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request, path string) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cache-Control", "no-cache")
	header.Add("Vary", "Cookie")
	depth := strings.Count(path, "/")
	if depth > maxDepth {
		http.NotFound(w, r)
		return
	}
	status := http.StatusOK
	if !known(path) {
		status = http.StatusNotFound
	}
	h.documents[depth][chosenTheme(r)].send(w, r, status)
}

func (h *Handler) serveAsset(w http.ResponseWriter, r *http.Request, asked string) {
	version, name, _ := strings.Cut(asked, "/")
	found, ok := h.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	// During an upgrade the document may have come from another release. What is
	// here then serves it better than nothing, and is not kept.
	cache := "no-store"
	if version == h.version {
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	found.send(w, r, http.StatusOK)
}

// send answers with the file, compressed if the browser takes that, or with
// 304 if the browser has it.
func (a *asset) send(w http.ResponseWriter, r *http.Request, status int) {
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("ETag", "W/"+a.etag) // it is the same for both codings
	header.Add("Vary", "Accept-Encoding")
	if status == http.StatusOK && matches(r.Header.Get("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.plain
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = a.gzip
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the browser has gone: nobody is left to tell
}

// matches reports whether an If-None-Match holds the entity tag.
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == etag {
			return true
		}
	}
	return false
}

// takesGzip reports whether an Accept-Encoding takes gzip, as that of every
// browser does.
func takesGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.ReplaceAll(params, " ", ""), "q=0.") != "" || params == ""
		}
	}
	return false
}
