// Package generated is the client that oapi-codegen makes of docs/openapi.yaml, with the
// tool's default settings. It is the usual choice where there is no library, so the
// benchmarks measure it.
package generated

//go:generate go tool oapi-codegen -config config.yaml -o client.gen.go ../../docs/openapi.yaml
