package cli

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/account"
	"github.com/trulioo-go/trulioo/truliootest"
)

// completeFlag lets a shell offer the words of a flag. A flag that is not there is
// a mistake of ours.
func completeFlag(command *cobra.Command, flag string, words ...string) {
	if err := command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// completeLogins offers the names of the accounts.
func completeLogins(root *cobra.Command) {
	err := root.RegisterFlagCompletionFunc("account", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		book, err := account.Open()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return slices.Sorted(maps.Keys(book.Accounts)), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err)
	}
}

// completeStatuses offers the known statuses.
func completeStatuses(command *cobra.Command) {
	completeFlag(command, "status", string(trulioo.StatusAccepted), string(trulioo.StatusRejected), string(trulioo.StatusPending),
		string(trulioo.StatusPendingReview), string(trulioo.StatusAbandoned), string(trulioo.StatusCompleted), string(trulioo.StatusFailed))
}

// completeTypes offers what trigger can send.
func completeTypes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{"flow", "all", "handshake"}
	for _, event := range truliootest.EveryEvent(truliootest.EventSpec{}) {
		words = append(words, string(event.Type))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
