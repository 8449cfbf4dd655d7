/// Starts a program in new namespaces from a process that has threads.
#pragma once
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

struct SpawnPlan {
  int executable = -1;            ///< what is executed (execveat)
  std::vector<std::string> args;  ///< argv, argv[0] first; the environment is empty
  int input = -1;                 ///< becomes descriptor 0; below 3: that is inherited
  int output = -1;                ///< becomes 1
  int errors = -1;                ///< becomes 2
  std::vector<int> keep = {};     ///< inherited under their numbers; all above 2
  unsigned long namespaces = 0;   ///< CLONE_NEW* bits. In a new user namespace the program keeps
                                  ///< every capability, though its ids are not mapped yet
  int pid_namespace = -1;         ///< one that it is to be in, if it is not a new one
};

struct Spawned {
  pid_t pid = -1;
  UniqueFd pidfd = UniqueFd();
};

/// Starts the program with all signals blocked and returns once it is executed. Between clone and
/// exec only async-signal-safe calls are made, on a stack of its own (as posix_spawn does).
/// Throws Error naming what failed.
Spawned spawn(const SpawnPlan& plan);

/// Ends it and takes its status.
void kill_spawned(const Spawned& spawned) noexcept;

/// Runs `body(argument)` in new namespaces, in a child that shares this process's memory and ends
/// when it returns; the caller's thread waits. `body` may make system calls only. Returns 0, or the
/// errno of the clone.
int call_in_namespaces(unsigned long namespaces, void (*body)(void*), void* argument);

/// A program file that nothing can write through, whoever gets hold of /proc/PID/exe
/// (CVE-2019-5736): a read-only detached mount of this process's executable.
UniqueFd open_own_executable();

}  // namespace lade::sandbox
