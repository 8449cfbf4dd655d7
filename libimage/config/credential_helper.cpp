#include "libimage/config/credential_helper.h"

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/program.h"

namespace lade {
namespace {

struct Answer {
  int status = 0;
  std::string text;

  /// The protocol's only way to say "none": this sentence on standard output, and status 1.
  [[nodiscard]] bool nothing() const {
    return status != 0 && text.find("credentials not found") != std::string::npos;
  }
  void require_success() const {
    if (status == 0) return;
    throw Error(Errc::command_failed,
                cat("exit status ", status, ": ", printable(trimmed(text.substr(0, 200)))),
                ExitDetail{status});
  }
};

std::string json_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

AuthEntry parse_answer(const std::string& answer) {
  const auto document = nlohmann::json::parse(answer, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* name) {
    const auto found = document.find(name);
    if (found == document.end() || !found->is_string()) {
      throw Error(Errc::invalid_content, cat("its answer has no ", name));
    }
    return found->get<std::string>();
  };
  if (!document.is_object()) throw Error(Errc::invalid_content, "its answer is not a JSON object");
  AuthEntry entry{.username = text("Username"), .password = text("Secret")};
  if (entry.username == "<token>") {
    entry = AuthEntry{.identity_token = std::move(entry.password)};
  }
  return entry;
}

Answer run_helper(const std::string& name, const std::string& verb, const std::string& question,
                  const HelperOptions& options) {
  std::string path;
  for (const std::string& directory : options.directories)
    path += cat(path.empty() ? "" : ":", directory);
  const ProgramResult result =
      run_program({.path = find_program(cat("docker-credential-", name), path),
                   .args = {verb},
                   .environment = options.environment,
                   .input = question,
                   .timeout = options.timeout},
                  {});
  return {.status = result.status, .text = result.out};
}

template <typename Body>
decltype(auto) in_words(const std::string& name, const std::string& server, const Body& body) {
  return with_context(
      [&] { return cat("credential helper ", lade::quoted(name), " for ", lade::quoted(server)); },
      body);
}

}  // namespace

std::optional<AuthEntry> ask_credential_helper(const std::string& name, const std::string& server,
                                               const HelperOptions& options) {
  return in_words(name, server, [&]() -> std::optional<AuthEntry> {
    const Answer answer = run_helper(name, "get", server, options);
    if (answer.nothing()) return std::nullopt;
    answer.require_success();
    return parse_answer(answer.text);
  });
}

void store_in_credential_helper(const std::string& name, const std::string& server,
                                const AuthEntry& entry, const HelperOptions& options) {
  in_words(name, server, [&] {
    const bool token = !entry.identity_token.empty();
    const nlohmann::json question = {{"ServerURL", server},
                                     {"Username", token ? "<token>" : entry.username},
                                     {"Secret", token ? entry.identity_token : entry.password}};
    run_helper(name, "store", json_text(question), options).require_success();
  });
}

bool erase_from_credential_helper(const std::string& name, const std::string& server,
                                  const HelperOptions& options) {
  return in_words(name, server, [&] {
    const Answer answer = run_helper(name, "erase", server, options);
    if (answer.nothing()) return false;
    answer.require_success();
    return true;
  });
}

std::vector<std::string> list_credential_helper(const std::string& name,
                                                const HelperOptions& options) {
  return in_words(name, "all servers", [&] {
    const Answer answer = run_helper(name, "list", {}, options);
    answer.require_success();
    const auto document = nlohmann::json::parse(answer.text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) {
      throw Error(Errc::invalid_content, "its answer is not a JSON object");
    }
    std::vector<std::string> servers;
    for (const auto& [server, user] : document.items()) servers.push_back(server);
    return servers;
  });
}

}  // namespace lade
