// Package trulioo is an unofficial client of the Trulioo Workflow Studio Export
// API: it reads what people and businesses submitted through an account's
// workflows, receives the workflows' webhook events, and exports whole accounts.
//
//	client, err := trulioo.NewClient(trulioo.WithCredentials(id, secret))
//	profile, err := client.Clients.Get(ctx, clientID, nil)
//	name, ok := profile.Value(trulioo.RoleFirstName)
//
// # By task
//
//   - Begin: [NewClient] with [WithCredentials], or [NewClientFromEnv].
//     [Client.With] and [WithEnvironment] give the test half of the account,
//     [WithAPIVersion] the older version of the API.
//   - List workflows and end clients: List for one page, All for an iterator.
//     [ClientListOptions] filters by time, status and workflow.
//   - Read a profile: [ClientsService.Get], then [Profile.Value] for what was
//     entered, [Profile.Services] and [ServiceResult.Details] for what was
//     checked, and [Profile.Files].
//   - Find out who is on a list: [Profile.ScreeningOutcome], [Profile.Screenings]
//     and [Profile.WatchlistHits]; see Watchlists below.
//   - Download a file: [FilesService.SaveAll] for all files of a profile in a
//     folder, [FilesService.Save] to a writer, or [FilesService.Download] for a
//     stream. [FileRef.Name] is safe on any disk, [FileRef.UniqueName] is one
//     file's only.
//   - Export the account: [ClientsService.Export], parallel, complete while the
//     account changes, and resumable.
//   - Receive events: [NewWebhookHandler] is an http.Handler; its Handle is for
//     programs without net/http's server. [Client.ForEvent] finds the client to ask.
//   - Test without an account: package truliootest is a fake of the whole API.
//   - Ask which of the library's guesses hold for an account: [Client.Diagnose].
//   - Reach what this package does not know: every answer keeps its bytes in
//     Raw, and [Client.GetJSON] asks for any path.
//
// # Operations
//
//	GET query/workflows          WorkflowsService.List    workflows.go
//	GET query/workflows          WorkflowsService.All     workflows.go
//	GET query/clients            ClientsService.List      clients.go
//	GET query/clients            ClientsService.All       clients.go
//	GET query/client/{clientId}  ClientsService.Get       clients.go
//	GET query/client/{clientId}  ClientsService.Export    export.go
//	GET query/clients            ClientsService.Slices    export_cursor.go
//	GET query/file               FilesService.Download    files.go
//	GET query/file               FilesService.Save        files.go
//	GET query/file               FilesService.SaveAll     save_all.go
//
// All of them have two versions and two environments; routes.go has the one
// table of paths. Tokens are fetched as needed, by auth.go.
//
// # Retries
//
// A call is tried at most 4 times in all. These are tried again:
//
//   - the statuses 408, 429, 500, 502, 503 and 504, and from 520 to 530, which
//     are Cloudflare's for a server behind it that fails;
//   - a 403 with a Retry-After header;
//   - connections that fail or break, unless a certificate is not trusted;
//   - an attempt that takes longer than 30 seconds, body included;
//   - a JSON answer that is cut off;
//   - a status of success with a gateway's page, with an error that may pass, or
//     with anything else that is not what was asked for ([ErrUnexpectedAnswer]).
//
// Nothing else is: a 409 can mean the account's limit, and it is [ErrConflict]
// at once. After a 401 another token is fetched and the request repeated one
// time, which does not count as a try. Where the token endpoint gives the same
// token again, the 401 is the call's answer and the token stays. While 401s go on,
// tokens are fetched ever more rarely, down to once a minute.
//
// The wait before the next try is random, from nothing to a bound of 200 ms that
// doubles with each try up to 10 seconds. A Retry-After header replaces it, in
// seconds or as a date, which is compared with the answer's own Date. So do
// Retry-After-Ms and, on a 429, RateLimit-Reset. A time longer than 60 seconds is
// not waited for: the call fails. A 429 of the API, and a 403 or 503 with a
// Retry-After, stop all calls of the client, and of those that [Client.With] made of
// it, until the wait is over; those of an object store delay their own request only.
// No wait begins that would outlast the context's deadline: the call then fails at
// once, with the API's last answer and context.DeadlineExceeded in the error.
//
// A token is fetched by the same rules, within 30 seconds, once on behalf of all
// callers who need it. Credentials that were refused are not sent again for a
// second, then for longer, up to a minute. Meanwhile calls fail with the endpoint's
// answer.
//
// A file is tried again until its first byte. After that [FilesService.Download]
// leaves it to the caller, and [FilesService.Save] goes on at most 3 times, only
// where a strong ETag and an exact Content-Range prove that the rest belongs to
// what was written. A file may take any time; a silence of 60 seconds ends it.
//
// [RetryPolicy] has all these numbers.
//
// # Environment variables
//
// Read by [NewClientFromEnv]:
//
//	TRULIOO_CLIENT_ID       the client id
//	TRULIOO_CLIENT_SECRET   the client secret
//	TRULIOO_ENVIRONMENT     live (the default) or test
//	TRULIOO_API_VERSION     v2 (the default) or v1
//	TRULIOO_BASE_URL        DefaultBaseURL if not set
//	TRULIOO_TOKEN_URL       the version's own endpoint if not set
//	TRULIOO_INSECURE_HTTP   true allows plain http, as in a network of containers
//	TRULIOO_TIME_UNIT       seconds (the default) or milliseconds; see [Dialect], as for the next two
//	TRULIOO_STATUSES        comma (the default) or repeated
//	TRULIOO_WORKFLOWS_PATH  query/workflows if not set
//
// Read by [NewWebhookHandlerFromEnv], each taken whole, commas included:
//
//	TRULIOO_WEBHOOK_TOKEN            the verification token
//	TRULIOO_WEBHOOK_TOKEN_PREVIOUS   the one before it, during a rotation
//	TRULIOO_WEBHOOK_SECRET           the signing secret, of at least 8 characters
//	TRULIOO_WEBHOOK_SECRET_PREVIOUS  the one before it, during a rotation
//
// An option wins over its variable. Empty is the same as not set. White space
// around a value is an error that names the variable. Nothing else reads the
// environment, except the proxy variables that net/http's default transport obeys.
//
// # Errors
//
// Branch on the sentinels with errors.Is, and take a type with errors.As for more:
//
//	*APIError        the API answered with an error      ErrNotFound, ErrUnauthorized, ErrForbidden,
//	                                                     ErrConflict, ErrTooLarge, ErrRateLimited, ErrServer
//	*AuthError       no token could be obtained          ErrUnauthorized, ErrRateLimited, ErrServer
//	*TransportError  no whole answer came                context's, net's, syscall's and x509's own errors
//	*DecodeError     the answer is not what it should be ErrTooLarge, ErrPaging, ErrUnexpectedAnswer, io.ErrUnexpectedEOF
//	*ArgumentError   refused before anything was sent
//	*ExportError     one client could not be exported    the cause's own
//
// Not found is always an error, never a nil result. An error prints the
// operation, the status and how often it was tried. It never prints an
// address, the server's words, a token, an id or a personal value.
//
// # Watchlists
//
// A watchlist check that matched means that the person is CLEAR: Match and
// Matched of it say the opposite of what they seem to. Ask [Profile.Screenings]:
// each check is clear, a potential or a confirmed hit, or unknown, which is the
// zero value. A check is clear only where the vendor says so and nothing in the
// check says otherwise. A check that failed, contradicts itself, is cut off or has
// words that are new is unknown; never take it for clear. [Profile.WatchlistHits] returns
// [ErrScreeningUnknown] for it. docs/screening.md in the repository has the rules.
//
// # Security
//
// Profiles are about people's identity. All types that hold such data or a
// secret print as their name in fmt and log/slog, also inside other structs.
// encoding/json is the data path and never redacts, inside slog's JSON handler
// too: give that handler [RedactAttr] as its ReplaceAttr. Strings that you take
// out of a value are yours to keep safe.
//
// The token goes to the API's own scheme, host and port, and nowhere else; a
// file that redirects to an object store arrives without it. Token requests
// follow no redirects, and no redirect goes from https to http. Plain http is refused
// except for loopback hosts, unless [WithInsecureHTTP] says otherwise. Answers are
// capped after decompression. Logging is off until [WithLogger].
//
// # The API's gaps
//
// The vendor's documentation leaves some things open. Each guess stands in one
// place of the code; docs/guesses.md in the repository lists them. [WithDialect]
// replaces those about requests, and [Client.Diagnose] asks an account which of
// them hold.
package trulioo
