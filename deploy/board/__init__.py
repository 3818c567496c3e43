"""What reaches the board: bitstream, driver, links, package."""
