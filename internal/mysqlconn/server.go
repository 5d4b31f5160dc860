package mysqlconn

import (
	"fmt"
	"strings"
)

// Server is who answers at the other end.
type Server struct {
	MariaDB             bool // else MySQL, or what takes itself for it
	Major, Minor, Patch int
}

// parseServer reads what VERSION() returns, such as 10.11.19-MariaDB-log or
// 8.0.36. What cannot be read is a MySQL of version 0.
func parseServer(version string) Server {
	s := Server{MariaDB: strings.Contains(strings.ToLower(version), "mariadb")}
	if n, err := fmt.Sscanf(version, "%d.%d.%d", &s.Major, &s.Minor, &s.Patch); err != nil && n < 2 {
		s.Major, s.Minor, s.Patch = 0, 0, 0
	}
	return s
}

// AtLeast reports whether the server's version is at least this one.
func (s Server) AtLeast(major, minor, patch int) bool {
	if s.Major != major {
		return s.Major > major
	}
	if s.Minor != minor {
		return s.Minor > minor
	}
	return s.Patch >= patch
}

// String returns the name and the version, such as "MariaDB 10.11.19".
func (s Server) String() string {
	name := "MySQL"
	if s.MariaDB {
		name = "MariaDB"
	}
	return fmt.Sprintf("%s %d.%d.%d", name, s.Major, s.Minor, s.Patch)
}
