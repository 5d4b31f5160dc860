package api

// Routes lists what echo's router holds, as "METHOD /path/{param}".
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.routes() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

// RegisteredRoutes is the number of routes in echo's router.
func (s *Server) RegisteredRoutes() int { return len(s.echo.Routes()) }

// ScopeOf returns the scope that a line of Routes asks for.
func (s *Server) ScopeOf(line string) Scope {
	for _, r := range s.routes() {
		if r.method+" "+r.path == line {
			return r.scope
		}
	}
	return "no such route"
}

// SplitArray is what batches are cut with.
var SplitArray = splitArray
