package trulioo

import (
	"net/url"
	"strings"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// Environment says which of an account's two halves is asked.
type Environment string

// The environments. The vendor's page: prefix the paths with /test for the
// test version.
const (
	Live Environment = "live"
	Test Environment = "test"
)

// APIVersion says which generation of paths and of token exchange is used.
type APIVersion string

// The versions. The vendor deprecates V1; it differs in the token exchange and
// in the paths, not in the answers.
const (
	V1 APIVersion = "v1"
	V2 APIVersion = "v2"
)

// The addresses that are used unless WithBaseURL and WithTokenURL say
// otherwise. Running integrations also use AlternativeBaseURL. The v1 token
// endpoint is below the base URL.
const (
	DefaultBaseURL     = "https://api.workflow.prod.trulioo.com/export"
	AlternativeBaseURL = "https://api.trulioo.com/wfs/export"
	DefaultTokenURL    = "https://auth-api.trulioo.com/connect/token" //nolint:gosec // an address
)

// tokenPathV1 is the path of the v1 token endpoint, below the base URL.
const tokenPathV1 = "oauth/accessToken" //nolint:gosec // a path

// The operations, as Step.Operation and the Operation of the errors name them. The
// texts of FileError and ScreeningError begin with words of their own: these errors
// have no field Operation to compare with.
const (
	OperationListWorkflows   = "list workflows"
	OperationListClients     = "list clients"
	OperationGetClient       = "get client"
	OperationDownloadFile    = "download file"
	OperationGetJSON         = "get JSON"
	OperationFetchToken      = "fetch token"      // also that of every AuthError
	OperationTransferFile    = "transfer file"    // of a StepTransfer
	OperationReceiveWebhook  = "receive webhook"  // of a StepWebhook
	OperationHandleProfile   = "handle profile"   // of an ExportError where OnProfile failed
	OperationWait            = "wait"             // of a StepThrottle
	OperationExport          = "export"           // of a TransportError where the context of an export ended
	OperationDiagnose        = "diagnose"         // of a TransportError where the context of Diagnose ended
	OperationDecodeDetails   = "decode details"   // of a DecodeError of ServiceResult.Details
	OperationParseEvent      = "parse event"      // of a DecodeError of a callback
	OperationEncodeEvent     = "encode event"     // of a DecodeError of Event.MarshalJSON
	OperationAnswerHandshake = "answer handshake" // of a DecodeError of a handshake
)

// route is an operation of the API: its name in errors and logs, and its path
// below the version.
type route struct {
	operation string
	path      string
}

// routes is the whole API. All of it is GET.
var routes = struct{ workflows, clients, client, file route }{
	// The last word of this path is a guess, which Dialect.WorkflowsPath replaces.
	workflows: route{OperationListWorkflows, "query/workflows"},
	clients:   route{OperationListClients, "query/clients"},
	client:    route{OperationGetClient, "query/client/{clientId}"},
	file:      route{OperationDownloadFile, "query/file"},
}

// prefix is the part of a URL before the route's path.
func prefix(base string, env Environment, version APIVersion) string {
	p := strings.TrimRight(base, "/")
	if env == Test {
		p += "/test"
	}
	return p + "/" + string(version) + "/"
}

const clientIDPart = "{clientId}"

// checkID refuses a client's id that cannot be a segment of the path.
func (r route) checkID(id string) error {
	if strings.Contains(r.path, clientIDPart) && (id == "" || transport.Dots(id)) {
		return &ArgumentError{Argument: "clientID", Reason: "must not be empty, \".\" or \"..\""}
	}
	return nil
}

// address builds a call's URL. id fills {clientId}, as one segment.
func (c *Client) address(r route, id string, query url.Values) string {
	path := r.path
	if id != "" {
		path = strings.Replace(path, clientIDPart, url.PathEscape(id), 1)
	}
	if len(query) == 0 {
		return c.prefix + path
	}
	return c.prefix + path + "?" + query.Encode()
}
