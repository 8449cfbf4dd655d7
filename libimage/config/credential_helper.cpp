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
  Child(const std::string& path, const HelperOptions& options, int input, int output) {
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
    std::string get = "get";
    std::string program = path;
    char* const arguments[] = {program.data(), get.data(), nullptr};
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

void write_question(UniqueFd fd, const std::string& server) {
  // A server's name fits a pipe's buffer (4096 bytes and more), so this never waits. A helper that
  // reads nothing must not kill us by SIGPIPE: our read end is still open.
  if (server.size() > 4096) throw Error(Errc::invalid_argument, "the server's name is too long");
  if (::write(fd.get(), server.data(), server.size()) < 0) throw_errno("write to it");
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

}  // namespace

std::optional<AuthEntry> ask_credential_helper(const std::string& name, const std::string& server,
                                               const HelperOptions& options) {
  const auto what = [&] {
    return cat("credential helper ", lade::quoted(name), " for ", lade::quoted(server));
  };
  return with_context(what, [&]() -> std::optional<AuthEntry> {
    const std::string path = find_program(cat("docker-credential-", name), options);
    PipeEnds input = make_pipe();
    PipeEnds output = make_pipe();
    write_question(std::move(input.write), server);
    Child child(path, options, input.read.get(), output.write.get());
    output.write.reset();
    const std::string answer = read_answer(output.read.get(), options.timeout);
    const int status = child.wait();
    if (status == 0) return parse_answer(answer);
    // The protocol's only way to say "none": this sentence on standard output, and status 1.
    if (answer.find("credentials not found") != std::string::npos) return std::nullopt;
    throw Error(Errc::command_failed,
                cat("exit status ", status, ": ", printable(trimmed(answer.substr(0, 200)))),
                ExitDetail{status});
  });
}

}  // namespace lade
