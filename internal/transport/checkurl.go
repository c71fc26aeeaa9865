package transport

import (
	"net"
	"net/url"
	"strings"
)

// CheckAddress says in constant words why secrets and personal data cannot be
// sent to an address that paths are put behind; "" where they can. insecure
// allows plain http to any host.
func CheckAddress(address string, insecure bool) (reason string) {
	if strings.ContainsAny(address, "?#") {
		return "must not have a query or a fragment"
	}
	return CheckEndpoint(address, insecure)
}

// CheckEndpoint is CheckAddress for a whole address, which may have a query.
func CheckEndpoint(address string, insecure bool) (reason string) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https://"
	case u.Hostname() == "":
		return "needs a host"
	case u.User != nil:
		return "must not hold a user name or password"
	case strings.Contains(address, "#"):
		return "must not have a fragment"
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return "plain http is for loopback hosts only; see WithInsecureHTTP and TRULIOO_INSECURE_HTTP"
	}
	return ""
}

// Local reports whether an address is one that the vendor's API cannot have: of
// this machine, or without TLS.
func Local(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || loopback(u.Hostname()))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Below reports whether path stays below the address that it is put behind.
func Below(path string) bool {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || strings.ContainsAny(path, "?#\\") {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "" || Dots(segment) {
			return false
		}
	}
	return true
}

// Dots reports whether a path segment would climb or stay.
func Dots(segment string) bool { return segment == "." || segment == ".." }
