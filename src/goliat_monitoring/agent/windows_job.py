"""Windows job objects: the group that GOLIAT's processes cannot leave, and that does not die with the agent.

It has no kill-on-close limit: GOLIAT outlives its agent. It has a name, by which the agent that made it finds it.
Windows forgets the name with the last handle, so an agent that took GOLIAT over ends the processes that it finds by
their marks.
"""

import sys

JOB_ALL_ACCESS = 0x1F001F


def name_of(run_id: str) -> str:
    """The name of a run's job, in the namespace of this logon session."""
    return f"Local\\goliat-monitoring-{run_id}"


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel32.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
    _kernel32.OpenJobObjectW.restype = wintypes.HANDLE
    _kernel32.OpenJobObjectW.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR)
    _kernel32.AssignProcessToJobObject.restype = wintypes.BOOL
    _kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel32.TerminateJobObject.restype = wintypes.BOOL
    _kernel32.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)

    def adopt(run_id: str, process_handle: int) -> bool:
        """Put a process, and all it will start, into the run's job. False where Windows refuses."""
        job = _kernel32.CreateJobObjectW(None, name_of(run_id))
        if not job:
            return False
        # The handle stays open on purpose: a named job without handles can no longer be opened by its name.
        return bool(_kernel32.AssignProcessToJobObject(job, process_handle))

    def terminate(run_id: str) -> bool:
        """End every process of the run's job. False where there is no such job any more."""
        job = _kernel32.OpenJobObjectW(JOB_ALL_ACCESS, False, name_of(run_id))
        if not job:
            return False
        try:
            return bool(_kernel32.TerminateJobObject(job, 1))
        finally:
            _kernel32.CloseHandle(job)

else:

    def adopt(run_id: str, process_handle: int) -> bool:  # noqa: ARG001 - the signature of Windows
        """There are no job objects here."""
        return False

    def terminate(run_id: str) -> bool:  # noqa: ARG001 - the signature of Windows
        """There are no job objects here."""
        return False
