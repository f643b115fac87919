"""Files for and from the banks that pay (代发文件): docs/payouts.md."""
