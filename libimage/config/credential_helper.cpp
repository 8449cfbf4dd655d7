#include "libimage/config/credential_helper.h"

#include <csignal>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"

namespace lade {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{1} << 20;

struct PipeEnds {
  UniqueFd read;
  UniqueFd write;
};

PipeEnds make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string find_program(const std::string& program, const HelperOptions& options) {
  for (const std::string& directory : options.directories) {
    std::string path = cat(directory, "/", program);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  throw Error(Errc::not_found, cat("there is no program ", lade::quoted(program)));
}

/// A running helper; killed and reaped if its owner gives up.
class Child {
 public:
  Child(const std::string& path, std::string verb, const HelperOptions& options, int input,
        int output) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string program = path;
    char* const arguments[] = {program.data(), verb.data(), nullptr};
    std::vector<std::string> variables = options.environment;
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    const int failed =
        ::posix_spawn(&pid_, path.c_str(), &files, &attributes, arguments, environment.data());
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0) throw_errno(cat("run ", lade::quoted(path)), failed);
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit status, 128 + n if signal n ended it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
};

std::string read_answer(int fd, std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::string answer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw Error(Errc::command_failed, "it does not answer");
    char chunk[4096];
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got < 0) throw_errno("read its answer");
    if (got == 0) return answer;
    answer.append(chunk, static_cast<std::size_t>(got));
    if (answer.size() > kMaxAnswerBytes)
      throw Error(Errc::limit_exceeded, "its answer is too long");
  }
}

void write_question(UniqueFd fd, const std::string& question) {
  // It fits a pipe's buffer, so this need not wait. A helper that reads nothing must not kill us by
  // SIGPIPE: our read end is still open.
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  const ssize_t written = ::write(fd.get(), question.data(), question.size());
  if (written < 0) throw_errno("write to it");
  if (static_cast<std::size_t>(written) != question.size()) {
    throw Error(Errc::limit_exceeded, cat(question.size(), " bytes are too many for it"));
  }
}

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
  const std::string path = find_program(cat("docker-credential-", name), options);
  PipeEnds input = make_pipe();
  PipeEnds output = make_pipe();
  write_question(std::move(input.write), question);
  Child child(path, verb, options, input.read.get(), output.write.get());
  output.write.reset();
  std::string text = read_answer(output.read.get(), options.timeout);
  const int status = child.wait();
  return {.status = status, .text = std::move(text)};
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
