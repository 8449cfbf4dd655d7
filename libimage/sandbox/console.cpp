#include "libimage/sandbox/console.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/mount_call.h"

namespace lade::sandbox {
namespace {

constexpr long kDevptsMagic = 0x1cd1;

}  // namespace

void send_console(int socket, int controlling) {
  char name[] = "/dev/ptmx";
  iovec piece{name, sizeof name - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &controlling, sizeof controlling);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) throw_errno("send terminal");
}

UniqueFd open_console(const Process& process, int socket, MountPoints* points) {
  const UniqueFd controlling(::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
  if (!controlling) throw_errno("open terminal");
  struct statfs found {};
  if (::fstatfs(controlling.get(), &found) != 0 || found.f_type != kDevptsMagic) {
    throw Error(Errc::denied, "open terminal: /dev/pts is not a file system of terminals");
  }
  int unlocked = 0;
  if (::ioctl(controlling.get(), TIOCSPTLCK, &unlocked) != 0) throw_errno("unlock terminal");
  UniqueFd peer(::ioctl(controlling.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!peer) throw_errno("open the terminal's other end");
  if (process.console_size) {
    winsize size{};
    size.ws_row = process.console_size->height;
    size.ws_col = process.console_size->width;
    if (::ioctl(controlling.get(), TIOCSWINSZ, &size) != 0) throw_errno("set the terminal's size");
  }
  if (::fchown(peer.get(), process.user.uid, static_cast<gid_t>(-1)) != 0) {
    throw_errno("pass on the terminal's ownership");
  }
  if (points != nullptr) {
    const UniqueFd place =
        points->open("/dev/console", MountPoints::Kind::file, MountPoints::Keep::until_unmade);
    attach(clone_mount(peer.get(), Depth::this_mount).get(), place.get());
  }
  send_console(socket, controlling.get());
  return peer;
}

void take_console(int console) {
  if (::ioctl(console, TIOCSCTTY, 0) != 0) throw_errno("take the terminal");
  for (int stream = 0; stream < 3; ++stream) {
    if (::dup2(console, stream) < 0) throw_errno("redirect to the terminal");
  }
}

UniqueFd receive_console(int socket) {
  char name[256];
  iovec piece{name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) throw_errno("receive terminal");
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    throw Error(Errc::unavailable, "receive terminal: none came");
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace lade::sandbox
