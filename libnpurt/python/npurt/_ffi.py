# SPDX-License-Identifier: MIT
"""libnpurt as ctypes sees it: its structures and functions, as in npurt/npurt.h."""

import ctypes
import os
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, \
    c_uint, c_uint16, c_uint32, c_uint64, c_void_p

INFINITE = 2**64 - 1
LABEL_SIZE = 40


class Sized(Structure):
    """A structure that begins with {size, flags}; size is filled in."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.size = ctypes.sizeof(self)


def structure(name, *fields):
    """A structure of npurt.h, called npurt_<name> there."""
    head = [("size", c_uint32), ("flags", c_uint32)]
    return type(name, (Sized,), {"_fields_": head + list(fields)})


log_fn = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
write_fn = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_void_p)
host_fn = ctypes.CFUNCTYPE(None, c_void_p, c_int)
lost_fn = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_void_p)

device_attr = structure(
    "device_attr", ("log", log_fn), ("log_data", c_void_p), ("log_level", c_uint32),
    ("reserved", c_uint32))
device_properties = structure(
    "device_properties", ("name", c_char * 32), ("bus_id", c_char * 32), ("node", c_char * 32),
    ("serial", c_uint64), ("hw_version", c_uint32), ("cores", c_uint32), ("core_mask", c_uint64),
    ("core_clock_mhz", c_uint32), ("ub_size", c_uint32), ("l1_size", c_uint32),
    ("l0a_size", c_uint32), ("l0b_size", c_uint32), ("l0c_size", c_uint32),
    ("max_queues", c_uint32), ("max_priority", c_int32), ("timestamp_frequency", c_uint64),
    ("driver_major", c_uint32), ("driver_minor", c_uint32))
memory_info = structure(
    "memory_info", ("hbm_size", c_uint64), ("hbm_used", c_uint64), ("hbm_physical", c_uint64),
    ("system_used", c_uint64))
firmware_info = structure(
    "firmware_info", ("version", c_char * 48), ("abi_major", c_uint16), ("abi_minor", c_uint16),
    ("boot_post", c_uint32), ("heartbeat", c_uint32), ("reset_count", c_uint32))
telemetry = structure(
    "telemetry",
    *((name, c_uint64) for name in (
        "timestamp", "samples", "aicore_busy_ns", "sdma_busy_ns", "hbm_read_bytes",
        "hbm_write_bytes", "tasks_done", "tasks_failed", "hbm_ce", "hbm_ue")),
    *((name, c_uint32) for name in (
        "temperature_mc", "power_mw", "voltage_mv", "aicore_mhz", "hbm_mhz", "health",
        "period_ms")),
    *((name, c_uint16) for name in (
        "aicore_permille", "cube_permille", "vector_permille", "sdma_permille", "mcu_permille",
        "hbm_permille")))
context_attr = structure("context_attr")
context_status = structure(
    "context_status", ("error", c_int32), ("scope", c_uint32), ("streams", c_uint32),
    ("failed_streams", c_uint32), ("device_resets", c_uint64), ("message", c_char * 512))
recovery = structure(
    "recovery", ("lost", lost_fn), ("data", c_void_p), ("streams_reset", c_uint32),
    ("memory_kept", c_uint32), ("memory_lost", c_uint32), ("reserved", c_uint32),
    ("bytes_kept", c_uint64), ("bytes_lost", c_uint64))
memory_attr = structure(
    "memory_attr", ("placement", c_uint32), ("reserved", c_uint32), ("label", c_char_p),
    ("tag", c_char_p), ("priority", c_int32), ("reserved2", c_uint32))
memory_holder = structure(
    "memory_holder", ("tag", c_char * LABEL_SIZE),
    *((name, c_uint64) for name in (
        "objects", "hbm_bytes", "hbm_peak_bytes", "host_bytes", "foreign_bytes")))
range_attr = structure("range_attr", ("alignment", c_uint64), ("label", c_char_p))
pool_attr = structure(
    "pool_attr", ("placement", c_uint32), ("reserved", c_uint32),
    ("release_threshold", c_uint64), ("label", c_char_p), ("tag", c_char_p))
pool_info = structure(
    "pool_info",
    *((name, c_uint64) for name in (
        "reserved_bytes", "reserved_peak_bytes", "used_bytes", "used_peak_bytes", "allocations",
        "reused_in_order", "reused_idle", "reused_by_wait", "grown")))
stream_attr = structure(
    "stream_attr", ("priority", c_int32), ("timeout_ms", c_uint32), ("core_mask", c_uint64),
    ("wait_timeout_ms", c_uint32), ("reserved", c_uint32), ("label", c_char_p),
    ("depth", c_uint32), ("failure_mode", c_uint32))
stream_info = structure(
    "stream_info", ("id", c_uint32), ("state", c_uint32), ("error", c_int32),
    ("priority", c_int32), ("failure_mode", c_uint32), ("depth", c_uint32),
    ("depth_used", c_uint32), ("batched", c_uint32),
    *((name, c_uint64) for name in ("submitted", "done", "batches", "faults", "core_mask")),
    ("timeout_ms", c_uint32), ("wait_timeout_ms", c_uint32), ("label", c_char * LABEL_SIZE))
event_attr = structure("event_attr", ("label", c_char_p))
launch_attr = structure(
    "launch_attr", ("timeout_us", c_uint32), ("max_cores", c_uint32), ("tag", c_uint64),
    ("label", c_char_p), ("file", c_char_p), ("line", c_uint32), ("reserved", c_uint32))
graph_attr = structure("graph_attr", ("label", c_char_p))
graph_conditional = structure(
    "graph_conditional", ("memory", c_void_p), ("offset", c_uint64), ("value", c_uint64),
    ("condition", c_uint32), ("reserved", c_uint32), ("body", c_void_p), ("otherwise", c_void_p))
graph_loop = structure(
    "graph_loop", ("rounds", c_uint64), ("memory", c_void_p), ("offset", c_uint64),
    ("value", c_uint64), ("condition", c_uint32), ("timeout_ms", c_uint32), ("body", c_void_p))
graph_node_info = structure(
    "graph_node_info",
    *((name, c_uint32) for name in (
        "command", "index", "num_dependencies", "level", "stream", "reserved")),
    ("tag", c_uint64), ("label", c_char * LABEL_SIZE))
graph_exec_info = structure(
    "graph_exec_info",
    *((name, c_uint32) for name in (
        "nodes", "commands", "barriers", "images", "streams", "submits")),
    *((name, c_uint64) for name in ("device_bytes", "host_bytes", "launches")),
    ("host_functions", c_uint32), ("reserved", c_uint32))
kernel_info = structure(
    "kernel_info", ("name", c_char * 48), ("module", c_char * LABEL_SIZE), ("entry", c_uint64),
    ("args_bytes", c_uint32), ("num_args", c_uint32))
kernel_arg = structure(
    "kernel_arg", ("name", c_char * 48), ("offset", c_uint32), ("bytes", c_uint32),
    ("type", c_uint32), ("count", c_uint32), ("use", c_uint32), ("reserved", c_uint32))
occupancy = structure(
    "occupancy", ("cores", c_uint32), ("resident_blocks", c_uint32), ("rounds", c_uint32),
    ("idle_cores", c_uint32))
kernel_print = structure(
    "print", ("kernel", c_char * 64), ("module", c_char * LABEL_SIZE),
    ("label", c_char * LABEL_SIZE), ("file", c_char * 64),
    *((name, c_uint32) for name in ("line", "block", "core", "reserved")),
    ("time_ns", c_uint64), ("text", c_char * 512))
print_fn = ctypes.CFUNCTYPE(None, POINTER(kernel_print), c_void_p)
fault = structure(
    "fault", ("error", c_int32),
    *((name, c_uint32) for name in (
        "status", "command", "access", "unit", "core", "block", "reset_count")),
    *((name, c_uint64) for name in ("sequence", "tag", "pc", "address", "time_ns")),
    ("kernel", c_char * 64), ("label", c_char * LABEL_SIZE), ("location", c_char * 96),
    ("nearest", c_char * 128), ("message", c_char * 512), ("time_monotonic_ns", c_uint64),
    ("source", c_char * 96), ("site", c_char * 128), ("neighbour", c_char * 128),
    *((name, c_uint32) for name in ("pipe", "other_pipe", "other_access", "other_block")),
    ("other_pc", c_uint64), ("bytes", c_uint64), ("buffer", c_char * 8),
    ("other_source", c_char * 96))

communicator_attr = structure(
    "communicator_attr", ("timeout_ms", c_uint32), ("reserved", c_uint32),
    ("buffer_bytes", c_uint64), ("label", c_char_p))
communicator_info = structure(
    "communicator_info", ("rank", c_uint32), ("ranks", c_uint32),
    *((name, c_uint64) for name in ("operations", "pending", "buffer_bytes")),
    ("label", c_char * LABEL_SIZE))
trace_record = structure(
    "trace_record", ("kind", c_uint32), ("command", c_uint32), ("result", c_int32),
    ("thread", c_uint32),
    *((name, c_uint64) for name in (
        "begin_ns", "end_ns", "device_begin_ns", "device_end_ns", "call", "call_ns", "stream",
        "tag", "bytes", "lost")),
    ("blocks", c_uint32), ("stream_id", c_uint32), ("name", c_char_p), ("label", c_char_p),
    ("stream_label", c_char_p))
trace_fn = ctypes.CFUNCTYPE(None, POINTER(trace_record), c_void_p)
trace_attr = structure(
    "trace_attr", ("kinds", c_uint32), ("reserved", c_uint32), ("fn", trace_fn),
    ("data", c_void_p))

copy = structure(
    "copy", ("dst", c_void_p), ("src", c_void_p),
    *((name, c_uint64) for name in (
        "dst_offset", "src_offset", "row_bytes", "rows", "slices", "dst_pitch", "src_pitch",
        "dst_slice_pitch", "src_slice_pitch")))

STRUCTURES = (device_attr, device_properties, memory_info, firmware_info, telemetry, context_attr,
              context_status, recovery, memory_attr, memory_holder, range_attr, pool_attr,
              pool_info, stream_attr, stream_info, event_attr, launch_attr, graph_attr,
              graph_conditional, graph_loop, graph_node_info, graph_exec_info, kernel_info,
              kernel_arg, occupancy, fault, communicator_attr, communicator_info, trace_record,
              trace_attr, copy, kernel_print)

memory_report_fn = ctypes.CFUNCTYPE(None, POINTER(memory_holder), c_void_p)
hang_fn = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)

handle = c_void_p
out_handle = POINTER(c_void_p)
_region = (handle, c_uint64)
_region_2d = (handle, c_uint64, c_uint64)
_rank = (handle, handle)  # a communicator and a stream
_node = (handle, POINTER(c_void_p), c_uint)  # a graph, and what the node comes after

# Arguments of each function; the result is an int unless RESULTS has another.
FUNCTIONS = {
    "version": (),
    "strerror": (c_int,),
    "error_name": (c_int,),
    "error_scope": (c_int,),
    "device_error_message": (handle, c_char_p, c_size_t),
    "context_error_message": (handle, c_char_p, c_size_t),
    "stream_error_message": (handle, c_char_p, c_size_t),
    "device_count": (POINTER(c_uint),),
    "device_open": (c_uint, POINTER(device_attr), out_handle),
    "device_open_bus_id": (c_char_p, POINTER(device_attr), out_handle),
    "device_close": (handle,),
    "device_get_properties": (handle, POINTER(device_properties)),
    "device_get_memory_info": (handle, POINTER(memory_info)),
    "device_get_firmware": (handle, POINTER(firmware_info)),
    "device_get_telemetry": (handle, POINTER(telemetry)),
    "device_get_time": (handle, POINTER(c_uint64), POINTER(c_uint64)),
    "context_create": (handle, POINTER(context_attr), out_handle),
    "context_destroy": (handle,),
    "context_get_status": (handle, POINTER(context_status)),
    "context_recover": (handle, POINTER(recovery)),
    "context_set_print": (handle, print_fn, c_void_p),
    "memory_create": (handle, c_uint64, POINTER(memory_attr), out_handle),
    "memory_destroy": (handle,),
    "memory_register": (handle, c_void_p, c_uint64, POINTER(memory_attr), out_handle),
    "memory_export_fd": (handle, POINTER(c_int)),
    "memory_import_fd": (handle, c_int, POINTER(memory_attr), out_handle),
    "memory_advise": (handle, c_int, POINTER(c_int)),
    "memory_prefetch": (handle, c_uint64, c_uint64),
    "memory_address": (handle,),
    "memory_size": (handle,),
    "memory_context": (handle,),
    "memory_map": (handle, POINTER(c_void_p)),
    "context_memory_report": (handle, memory_report_fn, c_void_p),
    "range_reserve": (handle, c_uint64, POINTER(range_attr), out_handle),
    "range_release": (handle,),
    "range_map": (handle, c_uint64, *_region, c_uint64, c_uint32),
    "range_unmap": (handle, c_uint64, c_uint64),
    "range_memory": (handle,),
    "pool_create": (handle, POINTER(pool_attr), out_handle),
    "pool_destroy": (handle,),
    "pool_alloc_async": (handle, handle, c_uint64, POINTER(memory_attr), out_handle),
    "memory_free_async": (handle, handle),
    "pool_trim": (handle, c_uint64),
    "pool_get_info": (handle, POINTER(pool_info)),
    "stream_create": (handle, POINTER(stream_attr), out_handle),
    "stream_destroy": (handle,),
    "stream_flush": (handle,),
    "stream_query": (handle,),
    "stream_wait": (handle, c_uint64),
    "stream_synchronize": (handle,),
    "stream_wait_event": (handle, handle),
    "stream_abort": (handle,),
    "stream_reset": (handle,),
    "stream_get_info": (handle, POINTER(stream_info)),
    "stream_host_function": (handle, host_fn, c_void_p),
    "write_value_async": (handle, *_region, c_uint64, c_uint32),
    "wait_value_async": (handle, *_region, c_uint64, c_int, c_uint32),
    "stream_get_fault": (handle, POINTER(fault)),
    "memcpy_async": (handle, *_region, *_region, c_uint64),
    "memcpy_peer_async": (handle, *_region, *_region, c_uint64),
    "memcpy_3d_async": (handle, POINTER(copy)),
    "memcpy_batch_async": (handle, POINTER(copy), c_size_t),
    "reduce_async": (handle, *_region, *_region, c_uint64, c_int, c_int),
    "memcpy_2d_async": (handle, *_region_2d, *_region_2d, c_uint64, c_uint64),
    "memcpy": (handle, *_region, *_region, c_uint64),
    "memcpy_2d": (handle, *_region_2d, *_region_2d, c_uint64, c_uint64),
    "fill_async": (handle, *_region, c_uint64, c_uint32, c_uint64),
    "fill_2d_async": (handle, *_region_2d, c_uint64, c_uint32, c_uint64, c_uint64),
    "upload": (handle, *_region, c_void_p, c_uint64),
    "upload_2d": (handle, *_region_2d, c_void_p, c_uint64, c_uint64, c_uint64),
    "download": (handle, c_void_p, *_region, c_uint64),
    "download_2d": (handle, c_void_p, c_uint64, *_region_2d, c_uint64, c_uint64),
    "event_create": (handle, POINTER(event_attr), out_handle),
    "event_destroy": (handle,),
    "event_record": (handle, handle),
    "event_query": (handle,),
    "event_wait": (handle, c_uint64),
    "event_time": (handle, POINTER(c_uint64)),
    "event_elapsed": (handle, handle, POINTER(c_int64)),
    "event_time_monotonic": (handle, POINTER(c_uint64), POINTER(c_uint64)),
    "event_eventfd": (handle, c_int),
    "event_export_fd": (handle, POINTER(c_int)),
    "event_import_fd": (handle, c_int, POINTER(event_attr), out_handle),
    "event_get_point": (handle, POINTER(c_uint64)),
    "event_wait_point": (handle, c_uint64, c_uint64),
    "event_wait_recorded": (handle, c_uint64, c_uint64),
    "stream_wait_event_point": (handle, handle, c_uint64),
    "module_load_file": (handle, c_char_p, out_handle),
    "module_load_data": (handle, c_char_p, c_size_t, out_handle),
    "module_unload": (handle,),
    "module_get_kernel": (handle, c_char_p, out_handle),
    "module_kernel_count": (handle,),
    "module_get_kernel_at": (handle, c_uint, out_handle),
    "kernel_name": (handle,),
    "kernel_get_info": (handle, POINTER(kernel_info)),
    "kernel_get_arg": (handle, c_uint, POINTER(kernel_arg)),
    "kernel_pack": (handle, c_void_p, c_uint, c_void_p, c_size_t),
    "launch_named": (handle, handle, c_uint32, c_void_p, c_uint, POINTER(launch_attr)),
    "kernel_get_occupancy": (handle, c_uint32, c_uint64, c_uint32, POINTER(occupancy)),
    "hang_report": (handle, hang_fn, c_void_p),
    "hang_write": (handle, write_fn, c_void_p),
    "hang_write_json": (handle, write_fn, c_void_p),
    "communicator_create": (POINTER(c_void_p), c_uint, POINTER(communicator_attr), out_handle),
    "communicator_destroy": (handle,),
    "communicator_abort": (handle,),
    "communicator_query": (handle,),
    "communicator_get_info": (handle, POINTER(communicator_info)),
    "communicator_error_message": (handle, c_char_p, c_size_t),
    "all_reduce_async": (*_rank, *_region, *_region, c_uint64, c_int, c_int),
    "reduce_scatter_async": (*_rank, *_region, *_region, c_uint64, c_int, c_int),
    "all_gather_async": (*_rank, *_region, *_region, c_uint64),
    "all_to_all_async": (*_rank, *_region, *_region, c_uint64),
    "broadcast_async": (*_rank, *_region, *_region, c_uint64, c_uint),
    "send_async": (*_rank, *_region, c_uint64, c_uint),
    "receive_async": (*_rank, *_region, c_uint64, c_uint),
    "send_receive_async": (*_rank, *_region, c_uint64, c_uint, *_region, c_uint64, c_uint),
    "trace_subscribe": (handle, POINTER(trace_attr), out_handle),
    "trace_unsubscribe": (handle,),
    "launch": (handle, handle, c_uint32, c_void_p, c_size_t, POINTER(launch_attr)),
    "stream_begin_capture": (handle, c_uint32),
    "stream_end_capture": (handle, out_handle),
    "stream_is_capturing": (handle, POINTER(c_int)),
    "graph_create": (handle, POINTER(graph_attr), out_handle),
    "graph_destroy": (handle,),
    "graph_add_kernel": (*_node, handle, c_uint32, c_void_p, c_size_t, POINTER(launch_attr),
                         out_handle),
    "graph_add_copy": (*_node, *_region, *_region, c_uint64, out_handle),
    "graph_add_fill": (*_node, *_region, c_uint64, c_uint32, c_uint64, out_handle),
    "graph_add_write": (*_node, *_region, c_uint64, c_uint32, out_handle),
    "graph_add_wait": (*_node, *_region, c_uint64, c_int, c_uint32, out_handle),
    "graph_add_reduce": (*_node, *_region, *_region, c_uint64, c_int, c_int, out_handle),
    "graph_add_host_function": (*_node, host_fn, c_void_p, out_handle),
    "graph_add_empty": (*_node, out_handle),
    "graph_add_child": (*_node, handle, out_handle),
    "graph_add_conditional": (*_node, POINTER(graph_conditional), out_handle),
    "graph_add_loop": (*_node, POINTER(graph_loop), out_handle),
    "graph_node_count": (handle,),
    "graph_get_node": (handle, c_uint, out_handle),
    "graph_node_get_info": (handle, POINTER(graph_node_info)),
    "graph_write_dot": (handle, write_fn, c_void_p),
    "graph_write_json": (handle, write_fn, c_void_p),
    "graph_instantiate": (handle, c_void_p, out_handle),
    "graph_exec_destroy": (handle,),
    "graph_launch": (handle, handle),
    "graph_exec_update_kernel": (handle, handle, c_uint32, c_void_p, c_size_t),
    "graph_exec_update_copy": (handle, handle, *_region, *_region, c_uint64),
    "graph_exec_update_fill": (handle, handle, c_uint64),
    "graph_exec_update_reduce": (handle, handle, *_region, *_region, c_uint64, c_int, c_int),
    "graph_exec_update_wait": (handle, handle, c_uint64),
    "graph_exec_update_write": (handle, handle, c_uint64),
    "graph_exec_update_upload": (handle, handle, c_void_p, c_uint64),
    "graph_exec_get_info": (handle, POINTER(graph_exec_info)),
}

RESULTS = {
    "version": c_uint32,
    "strerror": c_char_p,
    "error_name": c_char_p,
    "error_scope": c_uint,
    "memory_address": c_uint64,
    "memory_size": c_uint64,
    "memory_context": c_void_p,
    "module_kernel_count": c_uint,
    "kernel_name": c_char_p,
    "range_memory": c_void_p,
    "graph_node_count": c_uint,
}


class Library:
    """The functions of libnpurt, without their prefix."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        self.handle = library._handle
        for name, arguments in FUNCTIONS.items():
            function = getattr(library, "npurt_" + name)
            function.argtypes = arguments
            function.restype = RESULTS.get(name, c_int)
            setattr(self, name, function)


lib = Library(os.environ.get("NPURT_LIBRARY", "libnpurt.so.1"))
