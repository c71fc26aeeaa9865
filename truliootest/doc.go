// Package truliootest is a fake Export API for the tests and demonstrations of
// programs that use package trulioo. It answers over real HTTP, on a loopback
// port or in memory, and it is as awkward as the real service on demand.
//
//	srv := truliootest.NewServer(t)
//	client := srv.Client()
//	page, err := client.Clients.List(ctx, nil)
//
// A Server has both token endpoints and all sixteen routes: versions 1 and 2,
// live and test, workflows, clients, one client, and file. Live and test are
// two separate accounts of invented people and businesses ([Account]); the same
// seed always gives the same clients. Most are on no watchlist, some have hits of
// every kind, and some have a source that failed; each check agrees with itself as
// real ones do. The test account answers with one mock for everybody, as the real
// one does, unless it is made without [AccountSpec].Mocks. Put adds a client of
// your own, byte for byte.
//
// A test can make these things worse, and combine them:
//
//   - lists: [Listing] has the order, the filter, the limits, the ties, the
//     empty pages and the lies; [Churn] changes the account between requests;
//   - tokens: [Tokens] has the answer's form, the lifetime and revocation;
//   - files: [Files] has the size, ETags, ranges and the redirect to another host;
//   - the JSON itself: [Dialect] has milliseconds, numbers in strings, unknown
//     fields and lower-case statuses;
//   - anything at all: [Server.Fail] makes chosen requests fail in a chosen way.
//
// Afterwards a test can ask [Server.Count], [Server.Connections],
// [Server.BytesSent] and [Server.Requests].
//
// [TestDeduper] and [TestTokenStore] test that a store of yours keeps the contract of
// trulioo.Deduper and trulioo.TokenStore, as they test ours.
//
// [Equal] and [Diff] compare values that must not be printed: they name the places
// that differ, and no value.
//
// Time comes from package time, and [InMemory] needs no sockets, so a whole
// test can run in a testing/synctest bubble.
//
// The server is for tests: it keeps its credentials and its request log in
// plain sight. Everybody in it is made up.
package truliootest
