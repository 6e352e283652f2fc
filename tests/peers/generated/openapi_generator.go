// Calls through the Go client of openapi-generator.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	api "calls/registryapi"
)

const slug = "typed-6"

func main() {
	if err := calls(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Everything, once.
func calls(url, key string) error {
	settings := api.NewConfiguration()
	settings.Servers = api.ServerConfigurations{{URL: url}}
	integrations := api.NewAPIClient(settings).IntegrationsAPI
	ctx := context.WithValue(context.Background(), api.ContextAPIKeys, map[string]api.APIKey{"api_key": {Key: key}})

	name, client := "X-Request-Id", *api.NewOAuthClientMetadata()
	client.SetClientName("Acme")
	client.SetContacts([]string{"security@acme.com"})
	renamed := api.RenamedHeaderAsHeaderToForward(api.NewRenamedHeader("X-Tenant", "X-Upstream-Tenant"))
	headers := []api.HeaderToForward{api.StringAsHeaderToForward(&name), renamed}
	configuration := *api.NewAdvancedConfiguration()
	configuration.SetOauthClientMetadata(client)
	configuration.SetForwardHeaders(api.ArrayOfHeaderToForwardAsForwardHeaders(&headers))
	wanted := api.NewCreateMcpIntegration("Typed", "https://mcp.example/mcp", api.AUTHTYPE_OAUTH_AUTO, api.TRANSPORT_HTTP)
	wanted.SetSlug(slug)
	wanted.SetConfigurations(configuration)
	created, _, err := integrations.CreateIntegration(ctx).CreateMcpIntegration(*wanted).Execute()
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	read, _, err := integrations.ReadIntegration(ctx, slug).Execute()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	stored := read.GetConfigurations()
	metadata, forwarded := stored.GetOauthClientMetadata(), stored.GetForwardHeaders()
	sent, _ := json.Marshal(headers)
	answered, _ := json.Marshal(forwarded)
	if created.GetSlug() != slug || metadata.GetClientName() != "Acme" || string(sent) != string(answered) {
		return fmt.Errorf("stored as %q, %q, %s", created.GetSlug(), metadata.GetClientName(), answered)
	}
	listed, _, err := integrations.ListIntegrations(ctx).Search(slug).Execute()
	if err != nil || len(listed.Data) != 1 || listed.Data[0].Slug != slug {
		return fmt.Errorf("list: %v, %w", listed, err)
	}

	client.SetClientUri("nonsense")
	configuration.SetOauthClientMetadata(client)
	change := api.NewUpdateMcpIntegration()
	change.SetConfigurations(configuration)
	_, _, err = integrations.UpdateIntegration(ctx, slug).UpdateMcpIntegration(*change).Execute()
	var refusal *api.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("a wrong address: %w", err)
	}
	problem, typed := refusal.Model().(api.Problem)
	if !typed || problem.Status != 422 || problem.Errors[0].Pointer != "/configurations/oauth_client_metadata/client_uri" {
		return fmt.Errorf("a wrong address is answered with %+v", refusal.Model())
	}
	removed, _, err := integrations.DeleteIntegration(ctx, slug).Execute()
	if err != nil || !removed.Success {
		return fmt.Errorf("delete: %v, %w", removed, err)
	}
	return nil
}
