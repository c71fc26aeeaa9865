package trulioo_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestNewWebhookHandlerFromEnv(t *testing.T) {
	const tokenVar, secretVar = "TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET"
	for name, tc := range map[string]struct {
		token, secret string
		oldToken, old string // the _PREVIOUS variables
		opts          []trulioo.WebhookOption
		refused       []string // what the error names
		accepts       []string // token;secret that get a 200
		rejects       string   // one that gets a 401
	}{
		"neither":              {refused: []string{tokenVar, secretVar}},
		"token":                {token: "t1", accepts: []string{"t1;"}},
		"tokens":               {token: "t1", oldToken: "t2", accepts: []string{"t1;", "t2;"}},
		"token with a comma":   {token: "t1,t2", accepts: []string{"t1,t2;"}, rejects: "t1;"},
		"secret":               {secret: "s1-of-fourteen", accepts: []string{";s1-of-fourteen"}},
		"secrets":              {secret: "s1-of-fourteen", old: "s2-of-fourteen", accepts: []string{";s1-of-fourteen", ";s2-of-fourteen"}},
		"secret with commas":   {secret: "aB,s1$of&fourteen,", accepts: []string{";aB,s1$of&fourteen,"}, rejects: ";s1$of&fourteen"},
		"old with commas":      {secret: "s1-of-fourteen", old: ",=s2,of#fourteen", accepts: []string{";,=s2,of#fourteen"}, rejects: ";of#fourteen"},
		"short secret":         {secret: "s1short", refused: []string{secretVar, "8 characters"}},
		"short old secret":     {secret: "s1-of-fourteen", old: "s1short", refused: []string{secretVar, "8 characters"}},
		"old secret alone":     {old: "s1-of-fourteen", refused: []string{secretVar + "_PREVIOUS", "without"}},
		"old token alone":      {oldToken: "t1", secret: "s1-of-fourteen", refused: []string{tokenVar + "_PREVIOUS", "without"}},
		"space around the old": {token: "t1", oldToken: "t1\n", refused: []string{tokenVar + "_PREVIOUS"}},
		"both":                 {token: "t1", secret: "s1-of-fourteen", accepts: []string{"t1;s1-of-fourteen"}, rejects: ";s1-of-fourteen"},
		"space around":         {token: "t1 ", refused: []string{tokenVar}},
		"newline":              {secret: "s1\n", refused: []string{secretVar}},
		"only space":           {token: " ", refused: []string{tokenVar}},
		"option wins":          {token: " bad", opts: []trulioo.WebhookOption{trulioo.WithVerificationToken("o1")}, accepts: []string{"o1;"}},
		"option of the other":  {secret: "s1-of-fourteen", opts: []trulioo.WebhookOption{trulioo.WithVerificationToken("o1")}, accepts: []string{"o1;s1-of-fourteen"}, rejects: "o1;"},
		"insecure wins":        {token: "t1", opts: []trulioo.WebhookOption{trulioo.WithInsecureNoVerification()}, accepts: []string{";"}},
		"a bad option is seen": {token: "t1", opts: []trulioo.WebhookOption{trulioo.WithSigningSecret("")}, refused: []string{"WithSigningSecret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(tokenVar, tc.token)
			t.Setenv(secretVar, tc.secret)
			t.Setenv(tokenVar+"_PREVIOUS", tc.oldToken)
			t.Setenv(secretVar+"_PREVIOUS", tc.old)
			h, err := trulioo.NewWebhookHandlerFromEnv(accept, tc.opts...)
			for _, part := range tc.refused {
				require.ErrorContains(t, err, part)
				assert.NotContains(t, err.Error(), "t1")
				assert.NotContains(t, err.Error(), "s1")
			}
			if tc.refused != nil {
				return
			}
			require.NoError(t, err)
			answer := func(pair string) int {
				token, secret, _ := strings.Cut(pair, ";")
				body := `{"token":"` + token + `"}`
				return post(t, h, body, setHeader("X-Trulioo-Signature", sign([]byte(body), secret))).Code
			}
			for _, pair := range tc.accepts {
				assert.Equal(t, 200, answer(pair), pair)
			}
			if tc.rejects != "" {
				assert.Equal(t, 401, answer(tc.rejects))
			}
			if tc.opts == nil {
				assert.Equal(t, 401, post(t, h, `{"token":"x"}`).Code)
			}
		})
	}
}

// Trap: under GODEBUG=fips140=only hmac.New panics for keys under 14 bytes.
// The mode is of the process, so the test runs itself once more in it.
func TestWebhookTrapFIPS(t *testing.T) {
	if os.Getenv("TRULIOO_TEST_FIPS") == "" {
		t.Parallel()
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWebhookTrapFIPS$", "-test.v") //nolint:gosec // itself
		again.Env = append(os.Environ(), "TRULIOO_TEST_FIPS=1", "GODEBUG=fips140=only")
		out, err := again.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), "PASS: TestWebhookTrapFIPS")
		return
	}
	var refused *trulioo.ArgumentError
	_, err := trulioo.NewWebhookHandler(accept, trulioo.WithSigningSecret("thirteenbytes"))
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "WithSigningSecret", refused.Argument)
	require.ErrorAs(t, trulioo.VerifySignature(nil, "", "thirteenbytes"), &refused)
	t.Setenv("TRULIOO_WEBHOOK_SECRET", "thirteenbytes")
	_, err = trulioo.NewWebhookHandlerFromEnv(accept)
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "TRULIOO_WEBHOOK_SECRET", refused.Argument)

	h, err := trulioo.NewWebhookHandler(accept, trulioo.WithSigningSecret("fourteen-bytes"))
	require.NoError(t, err)
	status, _, _ := h.Handle(t.Context(), http.Header{
		"Content-Type":        {"application/json"},
		"X-Trulioo-Signature": {(&truliootest.Sender{Secret: "fourteen-bytes"}).Sign([]byte(`{}`))},
	}, []byte(`{}`))
	assert.Equal(t, 200, status)
}
