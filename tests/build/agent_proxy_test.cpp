// ssh agents as steps see them.
#include "libimage/build/agent_proxy.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"

namespace lade::build {
namespace {

/// How many keys the agent says it has, -1 if it does not answer.
int keys_of(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return -1;
  const char question[] = {0, 0, 0, 1, 11};  // SSH_AGENTC_REQUEST_IDENTITIES
  if (::send(fd.get(), question, sizeof question, MSG_NOSIGNAL) != sizeof question) return -1;
  char answer[9] = {};
  if (::recv(fd.get(), answer, sizeof answer, MSG_WAITALL) != sizeof answer || answer[4] != 12)
    return -1;
  return answer[8];
}

std::string make_key(const std::string& path, const std::string& passphrase = "") {
  const ProgramResult made =
      run_program({.path = find_program("ssh-keygen", "/usr/bin:/bin"),
                   .args = {"-q", "-t", "ed25519", "-N", passphrase, "-f", path}},
                  {});
  EXPECT_EQ(made.status, 0) << made.err;
  return path;
}

TEST(KeyAgents, HoldTheKeysOfTheirFilesBehindASocketOfAnyOwner) {
  const TempDir room("/tmp", "lade-agent-");
  const std::string one = make_key(room.path() + "/one");
  const std::string two = make_key(room.path() + "/two");
  std::string socket;
  {
    KeyAgents agents(room.path(), "/usr/bin:/bin");
    socket = agents.socket({one, two});
    EXPECT_EQ(agents.socket({one, two}), socket);
    EXPECT_EQ(keys_of(socket), 2);
    const SocketProxy proxy(room.dir(), "shown", socket, {.mode = 0660, .uid = 12, .gid = 34});
    EXPECT_EQ(keys_of(room.path() + "/shown"), 2);
    struct stat status {};
    ASSERT_EQ(::stat((room.path() + "/shown").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0660U);
    EXPECT_EQ(status.st_uid, 12U);
    EXPECT_EQ(status.st_gid, 34U);
  }
  EXPECT_EQ(keys_of(socket), -1);
}

TEST(KeyAgents, AKeyWithAPassphraseIsRefusedAndNobodyAsked) {
  const TempDir room("/tmp", "lade-agent-");
  const std::string key = make_key(room.path() + "/key", "secret");
  KeyAgents agents(room.path(), "/usr/bin:/bin");
  EXPECT_THROW((void)agents.socket({key}), Error);
}

TEST(SocketProxy, AClientSeesTheEndOfADeadAgent) {
  const TempDir room("/tmp", "lade-agent-");
  const SocketProxy proxy(room.dir(), "shown", room.path() + "/nobody", {});
  EXPECT_EQ(keys_of(room.path() + "/shown"), -1);
}

}  // namespace
}  // namespace lade::build
