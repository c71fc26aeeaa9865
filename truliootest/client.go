package truliootest

import (
	"fmt"

	"github.com/trulioo-go/trulioo"
)

// Options are the options that trulioo.NewClient needs to reach the live account with API
// version 2: credentials, both URLs and an HTTP client. Options that come after
// them win.
func (s *Server) Options() []trulioo.Option {
	return append(s.shared(), trulioo.WithTokenURL(s.TokenURL))
}

// OptionsV1 are Options for API version 1, whose token endpoint lies below the
// base URL.
func (s *Server) OptionsV1() []trulioo.Option {
	return append(s.shared(), trulioo.WithAPIVersion(trulioo.V1))
}

// Environ lists the variables with which trulioo.NewClientFromEnv reaches the live
// account with API version 2, each as "name=value", for a program under test:
//
//	cmd.Env = append(os.Environ(), server.Environ()...)
//
// TRULIOO_ENVIRONMENT and TRULIOO_API_VERSION are empty, so that this process's own do not
// choose another account. Another process cannot reach a server that is InMemory.
func (s *Server) Environ() []string {
	return []string{
		"TRULIOO_CLIENT_ID=" + s.ClientID, "TRULIOO_CLIENT_SECRET=" + s.ClientSecret,
		"TRULIOO_BASE_URL=" + s.BaseURL, "TRULIOO_TOKEN_URL=" + s.TokenURL,
		"TRULIOO_ENVIRONMENT=", "TRULIOO_API_VERSION=",
	}
}

func (s *Server) shared() []trulioo.Option {
	return []trulioo.Option{
		trulioo.WithCredentials(s.ClientID, s.ClientSecret),
		trulioo.WithBaseURL(s.BaseURL),
		trulioo.WithHTTPClient(s.HTTPClient()),
	}
}

// Client makes a client of the server, with Options and then opts. For version 1 or the
// test account give WithAPIVersion or WithEnvironment to the client's With. An
// option that the library refuses fails the test of NewServer, and panics for a
// server of Start. The client's idle connections end with the server.
func (s *Server) Client(opts ...trulioo.Option) *trulioo.Client {
	client, err := trulioo.NewClient(append(s.Options(), opts...)...)
	if err == nil {
		return client
	}
	if s.t == nil {
		panic(fmt.Errorf("truliootest: %w", err))
	}
	s.t.Helper()
	s.t.Fatal(err)
	return nil
}
