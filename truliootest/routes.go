package truliootest

import (
	"compress/gzip"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo"
)

// Operation names what a request asks for, by the constants of package trulioo.
type Operation string

// The operations of the Export API.
const (
	Any           Operation = "" // every operation, and unknown paths too
	FetchToken    Operation = trulioo.OperationFetchToken
	ListWorkflows Operation = trulioo.OperationListWorkflows
	ListClients   Operation = trulioo.OperationListClients
	GetClient     Operation = trulioo.OperationGetClient
	DownloadFile  Operation = trulioo.OperationDownloadFile
)

// route is a request's operation and target.
type route struct {
	operation Operation // Any for an unknown path
	v1        bool      // of a token request
	account   *Account
	clientID  string
}

// route reads the path by hand: http.ServeMux would redirect and clean the very
// slips that a test wants to catch.
func (s *Server) route(r *http.Request) route {
	path := r.URL.EscapedPath()
	if path == tokenPath {
		return route{operation: FetchToken}
	}
	path, ok := belowBase(path)
	if !ok {
		return route{}
	}
	if path == "oauth/accessToken" {
		return route{operation: FetchToken, v1: true}
	}
	to := route{account: s.Live}
	if below, ok := strings.CutPrefix(path, "test/"); ok {
		path, to.account = below, s.Test
	}
	version, path, _ := strings.Cut(path, "/")
	if version != "v1" && version != "v2" {
		return route{}
	}
	switch path {
	case orElse(s.settings.Load().listing.WorkflowsPath, "query/workflows"):
		to.operation = ListWorkflows
	case "query/clients":
		to.operation = ListClients
	case "query/file":
		to.operation = DownloadFile
	default:
		to.operation, to.clientID = clientRoute(path)
	}
	return to
}

// belowBase is the rest of a path under one of the two base URLs in use.
func belowBase(path string) (string, bool) {
	path, _ = strings.CutPrefix(path, "/wfs")
	return strings.CutPrefix(path, basePath+"/")
}

// clientRoute is query/client/{clientId}, with the id as one escaped segment.
func clientRoute(path string) (Operation, string) {
	segment, ok := strings.CutPrefix(path, "query/client/")
	if !ok || segment == "" || strings.Contains(segment, "/") {
		return Any, ""
	}
	id, err := url.PathUnescape(segment)
	if err != nil {
		return Any, ""
	}
	return GetClient, id
}

// serve answers a request that no fault has struck.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, to route) {
	switch {
	case to.operation == Any:
		answer(w, http.StatusNotFound, htmlNotFound)
	case to.operation == FetchToken && to.v1:
		s.serveTokenV1(w, r)
	case to.operation == FetchToken:
		s.serveTokenV2(w, r)
	case !s.method(w, r, http.MethodGet) || !s.authorised(w, r):
	case to.operation == ListWorkflows:
		s.serveWorkflows(w, r, to.account)
	case to.operation == ListClients:
		s.serveClients(w, r, to.account)
	case to.operation == GetClient:
		s.serveClient(w, r, to)
	case to.operation == DownloadFile:
		s.serveFile(w, r, to.account)
	default:
		panic("truliootest: serve has no answer for the operation " + string(to.operation))
	}
}

const htmlNotFound = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>" +
	"<body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>\n"

func (s *Server) method(w http.ResponseWriter, r *http.Request, want string) bool {
	if r.Method == want {
		return true
	}
	w.Header().Set("Allow", want)
	s.writeJSON(w, r, http.StatusMethodNotAllowed, []byte(`{"code":405,"message":"Method Not Allowed"}`))
	return false
}

// serveClient is GET query/client/{clientId}.
func (s *Server) serveClient(w http.ResponseWriter, r *http.Request, to route) {
	full, _ := strconv.ParseBool(r.URL.Query().Get("includeFullServiceDetails")) // clients send True and 1, too
	body, ok := to.account.profile(to.clientID, full, s.settings.Load().dialect)
	if !ok {
		s.writeJSON(w, r, http.StatusNotFound, []byte(`{"code":4100,"message":"Client not found"}`))
		return
	}
	s.writeJSON(w, r, http.StatusOK, body)
}

// writeJSON sends a whole JSON document, gzipped where WithGzip is set and the client
// accepts it.
func (s *Server) writeJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if s.setup.gzip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		header.Set("Vary", "Accept-Encoding")
		w.WriteHeader(status)
		zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = zip.Write(body)
		_ = zip.Close()
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // it is JSON, and says so
}

// answer sends a text. Its first byte decides the content type.
func answer(w http.ResponseWriter, status int, body string) {
	kind := "text/plain; charset=utf-8"
	switch {
	case strings.HasPrefix(body, "<"):
		kind = "text/html; charset=utf-8"
	case strings.HasPrefix(body, "{"), strings.HasPrefix(body, "["):
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
