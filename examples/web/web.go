// Package web is an example: an echo server whose routes read a database, call
// an API of others, and hand in jobs. docs/echo.md explains it.
package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/store"
)

// Schema makes the tables on SQLite.
const Schema = `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE readings (id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, value REAL NOT NULL);
INSERT INTO users (name, city) VALUES ('Ada', 'London'), ('Bob', 'Paris')`

// New returns the server. The App must run while it serves.
func New(app *asyncops.App) *echo.Echo {
	e := echo.New()
	e.Use(asyncops.Middleware(app))
	e.GET("/users/:id", asyncops.Synchronous(findUser))
	e.GET("/users", listUsers)
	e.POST("/external-data", asyncops.Synchronous(fetchExternalData))
	e.GET("/weather/:city", showWeather)
	e.POST("/process-data", asyncops.Background(processData))
	e.GET("/jobs/:id", asyncops.JobStatus)
	return e
}

// findUser is GET /users/{id}: 200 with the row, or 404. Writes to the table,
// by jobs too, end what is kept of it.
func findUser(c echo.Context) (asyncops.Submission, error) {
	var id int64
	if err := echo.PathParamsBinder(c).Int64("id", &id).BindError(); err != nil {
		return asyncops.Submission{}, err
	}
	return asyncops.Submission{Kind: "db.select_one", Args: map[string]any{
		"table": "users", "where": map[string]any{"id": id},
		"cache": map[string]any{"key": fmt.Sprint("user-", id), "ttl": "10m"},
	}}, nil
}

// User is a row of the table users.
type User struct {
	ID   int64  `bun:",pk,autoincrement" json:"id"`
	Name string `json:"name"`
	City string `json:"city"`
}

// listUsers is GET /users?city=…, with the typed operations of package store.
func listUsers(c echo.Context) error {
	users, err := store.SelectMany[User](c.Request().Context(), asyncops.Database(c, "main"),
		store.Eq("city", c.QueryParam("city")), store.OrderBy("name"), store.Limit(100))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, users)
}

// order is what POST /external-data and POST /process-data are sent.
type order struct {
	Sensor string  `json:"sensor"`
	Value  float64 `json:"value"`
}

// fetchExternalData is POST /external-data: an API of others is asked, and its
// answer is passed on. What it answers else than 2xx is 502.
func fetchExternalData(c echo.Context) (asyncops.Submission, error) {
	var in order
	if err := c.Bind(&in); err != nil {
		return asyncops.Submission{}, err
	}
	return asyncops.Submission{Kind: "http.request", Timeout: 5 * time.Second, Args: map[string]any{
		"client": "crm", "method": "POST", "path": "/v1/lookup", "body": map[string]any{"sensor": in.Sensor},
	}}, nil
}

// showWeather is GET /weather/{city}, with a client's methods.
func showWeather(c echo.Context) error {
	answer, err := asyncops.Client(c, "crm").Get(c.Request().Context(), "/v1/weather", clients.Query("city", c.Param("city")))
	if err != nil {
		return err
	}
	return c.JSONBlob(answer.Status, answer.Body)
}

// processData is POST /process-data: 202, and a worker inserts the row once,
// whatever becomes of this process. With an Idempotency-Key the request may be
// sent again.
func processData(c echo.Context) (asyncops.Submission, error) {
	var in order
	if err := c.Bind(&in); err != nil {
		return asyncops.Submission{}, err
	}
	return asyncops.Submission{Kind: "db.insert_one", Tags: []string{"readings"}, Args: map[string]any{
		"table": "readings", "values": map[string]any{"sensor": in.Sensor, "value": in.Value},
	}}, nil
}
